// What one can do with the selected segment: the same for buttons and keys.
import { apply, beforeNearest, canSplit, clampBoundary } from '../edits.js';
import { faster, isPlaying, now, pause, play, seek, toggle } from '../playback.js';
import { chosenSegments, commit, currentRun, EMOTIONS, mark, pick, pickTo, say, segmentAt, segments, selectedSegment, store } from '../store.js';
import { t } from '../texts.js';

export function playSegment() {
  const segment = selectedSegment();
  if (segment) play(segment.start, segment.end);
}

export function playOn() {
  play();
}

export { toggle };

export function split() {
  const time = now();
  const segment = segmentAt(time);
  if (canSplit(segment, time)) {
    commit({ op: 'split', id: segment.id, time });
  } else say(t('cannot_split'), true);
}

// One edit for every chosen segment, all of them one step back.
export function editEach(edits, run = null) {
  if (edits.length === 1) commit({ ...edits[0], run });
  else if (edits.length) commit({ op: 'together', edits, run });
}

// The two segments at the boundary nearest to the playhead; of several that were picked each run of neighbours becomes one.
export function merge() {
  const chosen = chosenSegments();
  if (chosen.length > 1) return mergeRuns(chosen);
  const left = beforeNearest(segments(), now());
  return left ? commit({ op: 'merge', id: left.id }) : say(t('cannot_merge'), true);
}

function mergeRuns(chosen) {
  const edits = [];
  let { view } = store;
  for (const [i, segment] of chosen.entries()) {
    if (chosen[i - 1]?.end !== segment.start) continue;
    const left = view.segments.find((s) => s.end === segment.start); // which of two stays is known when they are merged
    edits.push({ op: 'merge', id: left.id });
    view = apply(view, edits.at(-1));
  }
  if (edits.length) editEach(edits);
  else say(t('cannot_merge_apart'), true);
}

// Its stretch goes to the segment before it.
export function remove() {
  const chosen = chosenSegments();
  if (chosen.some((s) => s.locked)) say(t('locked_first'), true);
  else if (chosen.length < segments().length) editEach(chosen.map(({ id }) => ({ op: 'remove', id })));
  else say(t('cannot_remove'), true);
}

export function pickAll() {
  pick(segments().map((s) => s.id));
}

export function makeSegment({ start, end, emotion }) {
  commit({ op: 'insert', start, end, emotion });
}

// Over the marked stretch where there is one, else of the segment under the playhead. One that was scrolled out of sight is shown
// first.
export function setEmotion(emotion) {
  if (store.range && !isInSight('.timeline .range')) return say(t('range_shown'));
  if (store.range) {
    const [start, end] = store.range;
    mark(null);
    return commit({ op: 'insert', start, end, emotion });
  }
  return editEach(chosenSegments().filter((s) => s.emotion !== emotion).map(({ id }) => ({ op: 'emotion', id, emotion })));
}

export function flip(field) {
  const chosen = chosenSegments();
  setEach(field, !chosen.every((s) => s[field]));
}

export function setEach(field, value, run = null) {
  editEach(chosenSegments().filter((s) => s[field] !== value).map(({ id }) => ({ op: 'set', id, field, value })), run);
}

export function undo() {
  commit({ op: 'undo' });
}

export function redo() {
  commit({ op: 'redo' });
}

// Move the start of segment `id` by `seconds`; the playhead goes with it, so that the segment stays selected.
export function nudge(id, seconds, run = null) {
  const index = segments().findIndex((s) => s.id === id);
  if (index < 1) return;
  const from = segments()[index].start;
  const time = clampBoundary(segments(), index, Math.round((from + seconds) * 1000) / 1000);
  if (time === from) return;
  commit({ op: 'move', id, time, run });
  if (!isPlaying()) seek(time);
}

export function step(by) {
  const index = segments().findIndex((s) => s === selectedSegment());
  const next = segments()[Math.min(Math.max(index + by, 0), segments().length - 1)];
  if (!next) return;
  seek(next.start);
}

// Whether any of an element is within the timeline's window; if not it is now, for the next press.
function isInSight(what) {
  const element = document.querySelector(what);
  const [here, seen] = [element, element.closest('.scroller')].map((one) => one.getBoundingClientRect());
  const isSeen = here.right > seen.left && here.left < seen.right;
  if (!isSeen) element.scrollIntoView({ block: 'nearest', inline: 'center' });
  return isSeen;
}

// I and O: the marked stretch begins, or ends, at the playhead. The newer one counts: an end that lies on the wrong side of it
// goes to the end, or the start, of the video.
export function markFrom() {
  const end = store.range?.[1] ?? store.view.duration;
  mark([now(), end > now() ? end : store.view.duration]);
}

export function markTo() {
  const start = store.range?.[0] ?? 0;
  mark([start < now() ? start : 0, now()]);
}

// To the block that the model is least certain of among those that nobody has looked at; each press goes on to the next.
export function nextUnsure() {
  const doubtful = segments().filter((s) => s.source === 'auto' && s.scores && s.confidence < SURE).sort((a, b) => a.confidence - b.confidence);
  if (!doubtful.length) return say(t('none_unsure'));
  const next = doubtful[(doubtful.indexOf(selectedSegment()) + 1) % doubtful.length];
  return seek(next.start);
}

const SURE = 0.9;
const FRAME = 1 / 30; // seconds: a browser doesn't tell how long a frame of a video is
const NUDGE = 0.1;
const COARSE = 1;
const FINE = 0.01;
const stepOf = (event) => (event.shiftKey ? COARSE : event.altKey ? FINE : NUDGE);

// A key pressed on the page, outside of any field. True when it meant something.
export function onKey(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return onCommand(key, event);
  const handle = event.target.closest?.('.handle');
  const arrow = { arrowleft: -1, arrowright: 1 }[key];
  if (arrow) return handle ? done(nudge(handle.dataset.key, arrow * stepOf(event), currentRun())) : onArrow(arrow, event);
  if (event.altKey) return false;
  if (/^[1-7]$/.test(key)) return done(setEmotion(EMOTIONS[Number(key) - 1]));
  if (key === ' ') return event.target.closest?.('button:not(.seg), a, summary, input') ? false : done(toggle());
  const action = event.shiftKey ? SHIFTED[key] : KEYS[key];
  return action ? done(action()) : false;
}

const KEYS = {
  s: split, m: merge, n: () => flip('silent'), u: nextUnsure, i: markFrom, o: markTo, escape: () => clear(), delete: remove, backspace: remove,
  j: () => faster(-1), k: pause, l: () => faster(1), ',': () => frame(-1), '.': () => frame(1),
};
const SHIFTED = { l: () => flip('locked') };

function clear() {
  mark(null);
  pick([]);
}

function frame(by) {
  pause();
  seek(now() + by * FRAME);
}

function onCommand(key, event) {
  if (key === 'a' && event.target.closest?.('.strip')) return done(pickAll());
  if (key === 'z') return done(event.shiftKey ? redo() : undo());
  return key === 'y' ? done(redo()) : false;
}

// Shift and an arrow key on a block: one more, or one less, is picked.
function extend(block, by) {
  const all = [...block.parentElement.children];
  const next = all[all.indexOf(block) + by];
  if (!next) return;
  pickTo(next.dataset.key);
  next.focus();
}

function onArrow(arrow, event) {
  const block = event.target.closest?.('.seg');
  if (block && event.shiftKey) return done(extend(block, arrow));
  if (block) {
    pick([]);
    step(arrow);
    block.parentElement.querySelector(`[data-key="${store.selected}"]`).focus();
    return true;
  }
  if (event.target.closest?.('input, audio, video, [role=slider], [role=radio]')) return false;
  return done(seek(now() + arrow * (event.shiftKey ? 5 : 1)));
}

function done() {
  return true;
}
