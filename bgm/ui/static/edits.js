// What a gesture does to a view, shown before Python answers. It follows bgm/timeline.py; Python decides.
export const MIN_LENGTH = window.bgm.min_length;

export function apply(view, gesture) {
  const edit = EDITS[gesture.op];
  const segments = edit ? edit(view.segments, gesture) : view.segments;
  return segments === view.segments ? view : { ...view, segments, preview: { ...view.preview, url: null } };
}

const EDITS = { move, split, merge, emotion, choose, set: setField };

function replaceAt(segments, index, count, ...next) {
  return [...segments.slice(0, index), ...next, ...segments.slice(index + count)];
}

function change(segments, id, fields) {
  return segments.map((s) => (s.id === id ? { ...s, ...fields, source: 'user' } : s));
}

export function clampBoundary(segments, index, time) {
  const low = segments[index - 1].start + MIN_LENGTH;
  const high = segments[index].end - MIN_LENGTH;
  return low > high ? segments[index].start : Math.min(Math.max(time, low), high);
}

function move(segments, { id, time }) {
  const i = segments.findIndex((s) => s.id === id);
  if (i < 1) return segments;
  const at = clampBoundary(segments, i, time);
  const left = { ...segments[i - 1], end: at, source: 'user', stale: isHeard(segments[i - 1]) };
  const right = { ...segments[i], start: at, source: 'user', stale: isHeard(segments[i]) };
  return replaceAt(segments, i - 1, 2, left, right);
}

function split(segments, { id, time }) {
  const i = segments.findIndex((s) => s.id === id);
  const whole = segments[i];
  if (!canSplit(whole, time)) return segments;
  const first = { ...whole, end: time, source: 'user', stale: isHeard(whole) };
  const rest = whole.takes.filter((take) => take.id === whole.chosen); // it goes on with the music that was there
  const second = { ...first, id: freeId(segments), start: time, end: whole.end, takes: rest };
  return replaceAt(segments, i, 1, first, second);
}

export function canSplit(segment, time) {
  return Boolean(segment) && time >= segment.start + MIN_LENGTH && time <= segment.end - MIN_LENGTH;
}

function merge(segments, { id }) {
  const i = segments.findIndex((s) => s.id === id);
  if (i < 0 || i + 1 >= segments.length) return segments;
  const [first, second] = segments.slice(i, i + 2);
  const differs = first.emotion !== second.emotion || first.prompt !== second.prompt;
  const stays = differs && second.end - second.start > first.end - first.start ? second : first;
  return replaceAt(segments, i, 2, { ...stays, start: first.start, end: second.end, source: 'user', stale: isHeard(stays) });
}

function emotion(segments, { id, emotion: wanted }) {
  return segments.map((s) =>
    s.id === id && s.emotion !== wanted
      ? { ...s, emotion: wanted, confidence: 1, source: 'user', ignored: [], stale: isHeard(s) }
      : s);
}

function choose(segments, { id, take }) {
  return change(segments, id, { chosen: take });
}

function setField(segments, { id, field, value }) {
  const segment = segments.find((s) => s.id === id);
  const freed = field === 'silent' || field === 'locked';
  const stale = freed && value ? false : field === 'prompt' || field === 'style' ? isHeard(segment) : segment.stale;
  const unread = field === 'prompt' ? { understood: undefined, unread: [], instead: [] } : {}; // Python knows the vocabulary
  return change(segments, id, { [field]: value, stale, ...unread });
}

// Only music that may be made again can be out of date.
function isHeard({ locked, silent, chosen, takes }) {
  return !locked && !silent && takes.find((take) => take.id === chosen)?.engine !== 'file';
}

function freeId(segments) {
  const numbers = segments.map((s) => /^s(\d+)$/.exec(s.id)).filter(Boolean).map((m) => Number(m[1]));
  return `s${Math.max(0, ...numbers) + 1}`;
}
