// What the parts of the page share: the project as last seen, the job, the selected segment. Python holds the truth.
import { apply } from './edits.js';
import { now } from './playback.js';
import { said, t } from './texts.js';

export const EMOTIONS = window.bgm.emotions;

export const store = {
  view: { id: null },
  job: { state: 'idle' },
  selected: null,
  picked: [], // ids of the segments that keys and buttons act on together, where there are several
  range: null, // [start, end] in seconds that was marked: an emotion is painted over it
  message: null,
  told: [], // what became of the last edits that changed many lines
  withMusic: true, // what is heard: the mix of the chosen takes, made again after every edit; else the video's own sound
  edits: 0, // how many there were: a mix is of one count
  stopping: false, // Stop was pressed
  server: null,
  run: () => {},
  open: () => {},
  close: () => {},
};

const listeners = { view: new Set(), job: new Set(), selected: new Set(), range: new Set(), message: new Set(), told: new Set(), picked: new Set() };
let seen = { id: null }; // the last view that Python gave, without the edits that are under way
let pending = [];
let sending = false;
let waiting = null; // the latest view that came meanwhile
let wanted; // the project that the creator asked for last; null: the start; undefined: what the page is loaded with
let isLost = false; // the server could not be reached: edits wait until it can
let tries = 0; // of edits that a server that can be reached failed to take
let retry = 0;
const RETRY = 5000; // milliseconds
const parked = new Map(); // by project that was left: its edits that Python lacks

// `listener` is called now and whenever one of `topics` changed; when it answers `false` it is dropped.
export function subscribe(topics, listener) {
  for (const topic of topics) listeners[topic].add(listener);
  listener();
  return () => topics.forEach((topic) => listeners[topic].delete(listener));
}

function tell(topic) {
  for (const listener of [...listeners[topic]]) listener();
}

const written = new WeakMap(); // an object of a view as text
const textOf = (one) => written.get(one) ?? written.set(one, JSON.stringify(one)).get(one);

// What reads as before stays the same object: who draws it sees by that what changed, of hundreds of segments or lines.
function kept(list, before = []) {
  const known = new Map(before.map((one) => [textOf(one), one]));
  const next = list.map((one) => known.get(textOf(one)) ?? one);
  return next.length === before.length && next.every((one, i) => one === before[i]) ? before : next;
}

// Python sends views as text: Gradio would copy an object deeply, and watch each of its values.
export const parsed = (view) => (typeof view === 'string' ? JSON.parse(view) : view);

// Which project is shown is the creator's to say: the one that was asked for, or a new one while none is shown. What comes of any
// other, whose work goes on, changes nothing here.
export function want(id) {
  wanted = id;
}

function isWanted({ id, is_new: isNew }) {
  if (id === store.view.id || id === wanted) return true;
  return Boolean(id) && !store.view.id && (isNew || wanted === undefined);
}

// A view that Python read while an edit was on its way lacks that edit: it waits for the answer. Whether it is or will be shown.
export function setView(view) {
  if (!isWanted(view)) return false;
  const isHeld = sending && view.id === store.view.id;
  waiting = isHeld ? view : null;
  if (!isHeld) show(view);
  return true;
}

// Back to the start: what runs for the project goes on, and what was typed last is saved.
export function closeView() {
  wanted = null;
  setView({ id: null });
}

function show(view) {
  const same = view.id === store.view.id;
  if (same && view.rev < seen.rev) return; // it was read before what is shown, and came later
  if (!same) leaveFor(view.id);
  seen = view.id ? { ...view, segments: kept(view.segments, store.view.segments), utterances: kept(view.utterances, store.view.utterances) } : { id: null };
  store.view = pending.reduce(apply, seen);
  if (!same) {
    store.message = null;
    store.picked = [];
    store.job = { state: 'idle' };
    mark(null);
  }
  follow(same ? now() : 0);
  tell('view');
  if (!same) tell('job');
  if (!same) send();
}

// What is being typed is an edit of the project that is left. Edits that are on their way go there; those that wait for the end of
// its analysis wait here.
function leaveFor(next) {
  document.activeElement?.blur();
  wanted = next;
  if (pending.length) parked.set(store.view.id, { gestures: pending, isWaiting: isFrozen() });
  pending = parked.get(next)?.gestures ?? [];
  parked.delete(next);
}

export function setJob(job) {
  store.job = job ?? { state: 'idle' };
  tell('job');
  send();
}

export function isRunning() {
  return store.job.state === 'running' || store.job.state === 'waiting';
}

// A step that nothing else may interrupt. The mix to listen to makes way for any other.
export function isBusy() {
  return isRunning() && store.job.kind !== 'preview';
}

export function selectedSegment() {
  return segments().find((s) => s.id === store.selected) ?? null;
}

// The segments that an edit is of: those that were picked together, else the one under the playhead.
export function chosenSegments() {
  const several = segments().filter((s) => store.picked.includes(s.id));
  return several.length > 1 ? several : [selectedSegment()].filter(Boolean);
}

export const selection = () => ({ ids: new Set(chosenSegments().map((s) => s.id)), at: store.selected });

export function pick(ids) {
  if (!ids.length && !store.picked.length) return;
  store.picked = ids;
  tell('picked');
  say(chosenSegments().length > 1 ? t('picked', { n: chosenSegments().length }) : null);
}

// All from the one under the playhead to this one.
export function pickTo(id) {
  const all = segments().map((s) => s.id);
  const [from, to] = [all.indexOf(store.selected), all.indexOf(id)].sort((a, b) => a - b);
  pick(all.slice(Math.max(0, from), to + 1));
}

export function togglePick(id) {
  const ids = chosenSegments().map((s) => s.id);
  pick(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
}

export function segments() {
  return store.view.segments ?? [];
}

export const isSpoken = ({ start, end }) => store.view.utterances.some((u) => u.start < end && u.end > start);

const HAIR = 1e-4; // seconds: a video that was sent to a boundary may stand a hair before it

export function segmentAt(time) {
  return segments().find((s) => time < s.end - HAIR) ?? segments().at(-1) ?? null;
}

// The playhead selects: what the keys, the buttons and the panel act on is the segment under it. While one types in the
// panel, its segment stays.
export function follow(time) {
  const isHeld = selectedSegment() && document.activeElement?.matches('.segment :is(textarea, input:not([type=checkbox]))');
  if (!isHeld) select(segmentAt(time)?.id ?? null);
}

// Mark a stretch of the video, or none.
export function mark(range) {
  store.range = range && range[1] > range[0] ? range : null;
  tell('range');
}

function select(id) {
  if (store.selected === id) return;
  store.selected = id;
  tell('selected');
}

let blamed = null; // where one was when an error was told

export function say(message, isError = false) {
  blamed = isError ? document.activeElement : null;
  store.message = message ? { text: message, isError } : null;
  tell('message');
}

// An error is told until one goes on: a press of the pointer, or a key elsewhere than where it came from.
for (const name of ['pointerdown', 'keydown']) {
  document.addEventListener(name, ({ type, target }) => {
    if (store.message?.isError && (type === 'pointerdown' || target !== blamed)) say(null);
  }, { capture: true });
}

function hear(told) {
  store.told = told;
  tell('told');
}

// Steps of one slider or boundary that is held without a break are one edit, and one step back.
let run = Date.now();
const beginRun = () => {
  run = Math.max(run + 1, Date.now());
};
for (const name of ['focusin', 'pointerdown']) document.addEventListener(name, beginRun, { capture: true });
export const currentRun = () => run;

const page = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
let count = 0;

// An edit: shown at once, sent to Python once, in order; Python's answer replaces what was shown.
export function commit(gesture) {
  const last = pending.at(-1);
  const sameMove = last && gesture.op === 'move' && last.op === 'move' && last.id === gesture.id;
  if (sameMove) pending.pop();
  pending.push({ ...gesture, key: `${page}-${(count += 1)}` }); // by which Python knows an edit that is sent again
  store.edits += 1;
  store.view = apply(store.view, gesture);
  follow(now());
  say(null);
  tell('view');
  send();
}

// Whether an edit is on its way to Python.
export const isSaving = () => sending || pending.length > 0;

// Edits that come while the analysis draws the timeline wait for its end.
const isFrozen = () => isRunning() && store.job.kind === 'analyze';

async function send() {
  if (sending || !(pending.length || parked.size)) return;
  sending = true;
  clearTimeout(retry);
  let isTaken = true;
  while (isTaken && pending.length && !isFrozen()) {
    const gestures = pending.splice(0, isLost ? 1 : pending.length); // one by one where many wait: a refusal is of one alone
    isTaken = await deliver(store.view.id, gestures);
  }
  for (const [project, { gestures, isWaiting }] of [...parked]) {
    if (isTaken && !isWaiting && parked.delete(project)) isTaken = await deliver(project, gestures);
  }
  sending = false;
  if (!isTaken) retry = setTimeout(send, RETRY);
  if (waiting) show(waiting);
  waiting = null;
  tell('view');
}

// Whether Python has answered. What it could not be told waits, in order, and is shown meanwhile.
async function deliver(project, gestures) {
  const isAnswered = (await ask('edit', { project, gestures })) !== null;
  if (isAnswered) {
    tries = 0;
    if (isLost && !pending.length && [undefined, t('connection_lost')].includes(store.message?.text)) say(t('connection_back'));
    isLost &&= pending.length > 0;
    return true;
  }
  tries = (await isReachable()) ? tries + 1 : 0;
  if (tries >= TRIES) { // it is the edit that fails
    tries = 0;
    if (isShown(project)) pending = [];
    if (isShown(project)) show(seen);
    say(t('connection'), true);
    return true;
  }
  isLost = true;
  if (isShown(project)) pending = [...gestures, ...pending];
  else parked.set(project, { gestures: [...gestures, ...(parked.get(project)?.gestures ?? [])], isWaiting: false });
  say(t('connection_lost'), true);
  return false;
}

const isShown = (id) => store.view.id === id;
const TRIES = 3;
const isReachable = () => fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' }).then(({ ok }) => ok, () => false);
addEventListener('online', () => send());
addEventListener('beforeunload', (event) => isLost && isSaving() && event.preventDefault());

// The lines that Python has, while there are others; null while all is well.
export const savedLines = () => (isLost ? new Set(seen.utterances) : null);

// Another tab may have changed the project while one was there.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && store.view.id && !isSaving() && !isRunning()) ask('edit', { gestures: [] });
});

// Call one of Python's functions; its view becomes ours, its refusal is shown. Null for edits that did not come there.
export async function ask(name, call) {
  const project = call.project ?? store.view.id;
  try {
    const { view: text, error } = await store.server[name]({ ...call, project });
    const view = parsed(text);
    if (name !== 'edit') store.edits += 1;
    if (view && isShown(project)) show(view);
    if (error) say(said(error), true);
    else if (isShown(project) && view?.told?.length) hear(view.told);
    return !error;
  } catch {
    if (name === 'edit') return null;
    say(t('connection'), true);
    return false;
  }
}
