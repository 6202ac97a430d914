// What is heard keeps up with what the timeline says: whatever the project lacks is asked for by itself, of a run of edits when
// none has come for a moment. An engine that costs, a long video's mix and a step that was stopped or failed wait for the creator's word.
import { hear } from './playback.js';
import { isRunning, isSaving, segments, store, subscribe } from './store.js';

const CALM = 250; // milliseconds without an edit
const RUN = 1000; // milliseconds between two edits that are no run
let asked = null; // the last step that was asked for by itself, and at which count of edits: never the same twice
let halted = null; // the count of edits at which a step was stopped or failed
let timer = 0;
let edited = { count: null, at: -Infinity, wait: 0 }; // the last edit, and how long others are waited for

export function keepCurrent() {
  subscribe(['view', 'job'], () => {
    if (['stopped', 'failed'].includes(store.job.state)) halted = count();
    listen();
    clearTimeout(timer);
    const step = isHalted() ? null : lacking();
    if (step) timer = setTimeout(() => ask(step), isFirst() ? 0 : calm());
  });
}

// A single edit waits for nothing.
function calm() {
  const at = performance.now();
  if (edited.count !== count()) edited = { count: count(), at, wait: at - edited.at < RUN ? CALM : 0 };
  return edited.wait;
}

const count = () => `${store.view.id} ${store.edits}`;
const isFirst = () => !segments().some((s) => s.takes.length);

export const isHalted = () => halted === count();

// The analysis was stopped, or it failed.
export const isBrokenOff = () => Boolean(store.view.id) && !store.view.analyzed && !isRunning() && (isHalted() || ['stopped', 'failed'].includes(store.job.state));

// What the creator asked for goes on although it was stopped before.
export function goOn() {
  halted = null;
}

// The step that the project lacks and that costs nothing but a moment; null where there is none.
export function lacking() {
  const { id, analyzed, utterances, preview } = store.view;
  if (!id) return null;
  if (!analyzed) return 'analyze';
  if (utterances.some((line) => !line.scores && line.english)) return 'read_emotions';
  if (!preview.by_itself) return preview.composes && preview.stale ? 'compose' : null;
  return !preview.url && (preview.composes || !isFirst()) ? 'preview' : null;
}

// A mix that is out of date while it is made makes way, unless it does already, for a step that the creator asked for; else the
// end of the step that runs comes back here.
function ask(step) {
  const isMixing = store.job.kind === 'preview' && store.job.stage === 'mix';
  const what = `${step} ${count()}`;
  if (isSaving() || (isRunning() && (!isMixing || store.stopping)) || isHalted() || asked === what) return;
  asked = what;
  store.run(step, { by_itself: true });
}

function listen() {
  const { preview } = store.view;
  if (!store.withMusic || !preview) hear(null);
  else if (preview.url) hear(preview.url);
}

// Hear the mix, which is made where it is lacking: of a long video only then.
export function hearMusic() {
  store.withMusic = true;
  listen();
  if (store.view.preview?.url || isRunning()) return;
  goOn();
  store.run('preview', { by_itself: true });
}

export function hearOriginal() {
  store.withMusic = false;
  listen();
}
