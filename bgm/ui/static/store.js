// What the parts of the page share: the project as last seen, the job, the selected segment. Python holds the truth.
import { apply } from './edits.js';
import { now } from './playback.js';
import { t } from './texts.js';

export const EMOTIONS = ['anger', 'disgust', 'fear', 'joy', 'neutral', 'sadness', 'surprise'];

export const store = {
  view: { id: null },
  job: { state: 'idle' },
  selected: null,
  message: null,
  hearWhenReady: false, // the preview was asked for and is being mixed
  stopping: false, // Stop was pressed
  server: null,
  run: () => {},
};

const listeners = { view: new Set(), job: new Set(), selected: new Set(), message: new Set() };
let seen = { id: null }; // the last view that Python gave, without the edits that are under way
let pending = [];
let sending = false;

// `listener` is called now and whenever one of `topics` changed; when it answers `false` it is dropped.
export function subscribe(topics, listener) {
  for (const topic of topics) listeners[topic].add(listener);
  listener();
  return () => topics.forEach((topic) => listeners[topic].delete(listener));
}

function tell(topic) {
  for (const listener of [...listeners[topic]]) listener();
}

export function setView(view) {
  const same = view?.id === store.view.id;
  if (!same) pending = [];
  seen = view ?? { id: null };
  store.view = pending.reduce(apply, seen);
  if (!same) store.message = null;
  keepSelection(same);
  tell('view');
}

export function setJob(job) {
  store.job = job ?? { state: 'idle' };
  tell('job');
}

export function isRunning() {
  return store.job.state === 'running' || store.job.state === 'waiting';
}

export function select(id) {
  if (store.selected === id) return;
  store.selected = id;
  window.bgm.selected = id; // read by the upload of an own sound
  tell('selected');
}

export function selectedSegment() {
  return segments().find((s) => s.id === store.selected) ?? null;
}

export function segments() {
  return store.view.segments ?? [];
}

export function segmentAt(time) {
  return segments().find((s) => time >= s.start && time < s.end) ?? segments().at(-1) ?? null;
}

function keepSelection(sameProject) {
  const known = sameProject && segments().some((s) => s.id === store.selected);
  if (!known) select((sameProject ? segmentAt(now()) : segments()[0])?.id ?? null);
}

export function say(message, isError = false) {
  store.message = message ? { text: message, isError } : null;
  tell('message');
}

// An edit: shown at once, sent to Python once, in order; Python's answer replaces what was shown.
export function commit(gesture) {
  const last = pending.at(-1);
  const sameMove = last && gesture.op === 'move' && last.op === 'move' && last.id === gesture.id;
  if (sameMove) pending.pop();
  pending.push(gesture);
  store.view = apply(store.view, gesture);
  keepSelection(true);
  say(null);
  tell('view');
  send();
}

async function send() {
  if (sending) return;
  sending = true;
  while (pending.length) {
    const gestures = pending;
    const project = store.view.id;
    pending = [];
    await ask('edit', { project, gestures });
  }
  sending = false;
}

// Call one of Python's functions; its view becomes ours, its refusal is shown.
export async function ask(name, call) {
  try {
    const answer = await store.server[name]({ project: store.view.id, ...call });
    if (answer.view && answer.view.id === store.view.id) setView(answer.view);
    if (answer.error) say(answer.error, true);
    return !answer.error;
  } catch {
    pending = [];
    setView(seen);
    say(t('connection'), true);
    return false;
  }
}
