// What a gesture does to a view, shown before Python answers. It follows bgm/timeline.py; Python decides.
export const { min_length: MIN_LENGTH, line_seconds: LINE_SECONDS } = window.bgm;

export function apply(view, gesture) {
  if (gesture.op in LINE_EDITS) {
    const index = lineAt(view.utterances, gesture);
    return index === null ? view : { ...view, utterances: LINE_EDITS[gesture.op](view.utterances, { ...gesture, index }, view) };
  }
  const segments = edited(view.segments, gesture);
  return segments === view.segments ? view : { ...view, segments, preview: { ...view.preview, url: null } };
}

const edited = (segments, gesture) => EDITS[gesture.op]?.(segments, gesture) ?? segments;

const EDITS = { move, split, merge, remove, emotion, choose, set: setField, together };

// Several edits that are one step back.
function together(segments, { edits }) {
  return edits.reduce(edited, segments);
}

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
  const first = { ...whole, end: time, fade_out: 0, source: 'user', stale: isHeard(whole) };
  const rest = whole.takes.filter((take) => take.id === whole.chosen); // it goes on with the music that was there
  const second = { ...first, id: freeId(segments), start: time, end: whole.end, takes: rest, fade_in: 0, fade_out: whole.fade_out };
  return replaceAt(segments, i, 1, first, second);
}

export function canSplit(segment, time) {
  return Boolean(segment) && time >= segment.start + MIN_LENGTH && time <= segment.end - MIN_LENGTH;
}

// Where a merge begins: the segment before the boundary nearest to `time`; null where there is only one segment. So after a split
// a merge is the way back, whether the video plays or stands still.
export function beforeNearest(segments, time) {
  const apart = (i) => Math.abs(segments[i].end - time);
  const nearest = segments.slice(0, -1).reduce((best, _, i) => (apart(i) < apart(best) ? i : best), 0);
  return segments.length > 1 ? segments[nearest] : null;
}

function merge(segments, { id }) {
  const i = segments.findIndex((s) => s.id === id);
  if (i < 0 || i + 1 >= segments.length) return segments;
  const [first, second] = segments.slice(i, i + 2);
  const differs = first.emotion !== second.emotion || first.prompt !== second.prompt;
  const stays = differs && second.end - second.start > first.end - first.start ? second : first;
  return replaceAt(segments, i, 2, { ...stays, start: first.start, end: second.end, fade_in: first.fade_in, fade_out: second.fade_out, source: 'user', stale: isHeard(stays) });
}

// The one before lasts until its end; where it is the first, the next one begins with it.
function remove(segments, { id }) {
  const i = segments.findIndex((s) => s.id === id);
  if (i < 0 || segments.length === 1 || segments[i].locked) return segments;
  const stays = segments[i === 0 ? 1 : i - 1];
  const place = i === 0 ? { start: segments[0].start } : { end: segments[i].end };
  return replaceAt(segments, Math.max(0, i - 1), 2, { ...stays, ...place, source: 'user', stale: isHeard(stays) });
}

function emotion(segments, { id, emotion: wanted }) {
  return segments.map((s) =>
    s.id === id && s.emotion !== wanted
      ? { ...s, emotion: wanted, confidence: 1, source: 'user', ignored: [], stale: isHeard(s) }
      : s);
}

function choose(segments, { id, take }) {
  return change(segments, id, { chosen: take, stale: false }); // it is meant, whatever it was made for
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

const LINE_EDITS = { line_text: retell, line_times: retime, line_split: cut, line_merge: join, replace: replaceText };

// What an edit of a line tells of it: another tab may have changed the lines, and then its number is another's.
export const wasOf = ({ start, end, text, english }, name = 'text') => ({ start, end, text, ...(name === 'english' && { english }) });

// Where the line is by now that an edit is of; null where it is no more.
export function lineAt(lines, { index, was }) {
  if (!was) return index;
  const places = was.map((line) => found(lines, line));
  return places.every((place, i) => place !== null && place === places[0] + i) ? places[0] : null;
}

export const isStill = (lines, index, line) => lineAt(lines, { index, was: [wasOf(line)] }) === index;

function found(lines, { start, end, text, english }) {
  const same = [...lines.keys()].filter((i) => lines[i].text === text && (english ?? lines[i].english) === lines[i].english && lines[i].start < end && start < lines[i].end);
  const apart = (i) => Math.abs(lines[i].start - start);
  return same.sort((a, b) => apart(a) - apart(b))[0] ?? null;
}

// A line that was changed is read again; its English follows where it was the same.
function changed(line, fields) {
  const english = fields.text !== undefined && line.english === line.text ? { english: fields.text } : {};
  return { ...line, ...english, ...fields, scores: null };
}

function retell(lines, { index, name, text }) {
  return lines[index] ? replaceAt(lines, index, 1, changed(lines[index], { [name]: text, unsure: false })) : lines;
}

// The times that a line may have: up to its neighbours, and not too short.
export function clampLine({ utterances: lines, duration }, index, start, end) {
  const low = lines[index - 1]?.end ?? 0;
  const high = lines[index + 1]?.start ?? Math.max(duration, lines[index].end);
  const from = Math.min(Math.max(start, low), high - LINE_SECONDS);
  return [from, Math.min(Math.max(end, from + LINE_SECONDS), high)];
}

function retime(lines, { index, start, end }, view) {
  const [from, to] = clampLine(view, index, start, end);
  return replaceAt(lines, index, 1, changed(lines[index], { start: from, end: to }));
}

// Where between its words a line is cut only Python knows; until it answers, the letters tell.
function cut(lines, { index, left, right }) {
  const line = lines[index];
  const at = line.start + ((line.end - line.start) * left.length) / (left.length + right.length);
  return replaceAt(lines, index, 1, changed(line, { text: left, end: at }), changed(line, { text: right, start: at }));
}

function join(lines, { index, text }) {
  const [first, second] = lines.slice(index, index + 2);
  if (!second) return lines;
  const isEnglish = first.english === first.text && second.english === second.text;
  const english = isEnglish ? text : `${first.english} ${second.english}`.trim();
  return replaceAt(lines, index, 2, changed(first, { text, english, end: second.end }));
}

// What one looks for, also as a whole word: no letter, digit or mark of any script goes on with it.
export function sought(find, whole) {
  const text = find.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const [before, behind] = ['(?<![\\p{L}\\p{N}\\p{M}])', '(?![\\p{L}\\p{N}\\p{M}])'];
  return new RegExp(whole ? `(?:${before}|${behind})${text}(?:${before}|${behind})` : text, 'giu');
}

function replaceText(lines, { find, put, whole = false }) {
  const pattern = sought(find, whole);
  const swap = (text) => text.replace(pattern, (found) => (isLarge(found) ? put.slice(0, 1).toUpperCase() + put.slice(1) : put)).replace(/\s+/g, ' ').trim();
  const next = lines.map((line) => ({ line, text: swap(line.text), english: swap(line.english) }));
  return next.map(({ line, text, english }) => (text === line.text && english === line.english ? line : { ...line, text, english, scores: null }));
}

// A word that began large begins large.
const isLarge = (text) => text[0] !== text[0].toLowerCase() && text !== text.toUpperCase();
