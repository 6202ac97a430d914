// What is in work and how far it is, what waits for the creator's word, and what went wrong.
import { bar } from './bar.js';
import { goOn, isHalted, lacking } from './current.js';
import { button, h, setText } from './dom.js';
import { soundsAlone } from './playback.js';
import { closeView, isBusy, isRunning, say, setJob, store, subscribe } from './store.js';
import { leave } from './start.js';
import { has, said, t } from './texts.js';
import { percent } from './timeline/strip.js';

export function mount({ element, props, trigger, watch }) {
  let next = []; // steps for which the mix makes way, in order
  store.run = (step, more = {}) => {
    if (isRunning() && store.job.kind === 'preview') {
      next.push([step, more]);
      stop();
      return;
    }
    store.stopping = false;
    if (!more.by_itself) goOn();
    setJob({ state: 'waiting', kind: step, position: 0 });
    trigger('run', { step, project: store.view.id, ...more });
  };
  store.close = () => {
    soundsAlone(null);
    closeView();
    leave();
    trigger('close');
  };
  element.querySelector('.bgm-steps').replaceChildren(
    bar(() => store.close(), nextButton(), progress()), problem());
  const hear = (job) => {
    const isOver = job.state !== 'running' && job.state !== 'waiting';
    if (isOver && job.kind !== 'preview' && job.state !== 'done') next = []; // what failed or was stopped is told, and ends the rest
    if (next.length && isOver) {
      const [step, more] = next.shift();
      setJob({ state: 'idle' });
      store.run(step, more);
    } else onJob(job);
  };
  // What another project's step does, which goes on after one has left it, is not told here; what comes before its project waits.
  const listen = () => {
    const { project = null, kind, error } = props.value;
    const isOfStart = kind === 'start'; // a file that was not taken, a project that is gone
    if (isOfStart ? !store.view.id : project === store.view.id) hear(props.value);
    else if (isOfStart && error) say(said(error), true);
  };
  let shown = null;
  watch('value', listen);
  listen(); // it may have come before this script
  subscribe(['view'], () => {
    if (store.view.id === shown) return;
    shown = store.view.id;
    next = [];
    store.stopping = false;
    if (shown && props.value.project === shown) hear(props.value);
  });
}

function onJob(job) {
  setJob(job);
  if (!isRunning()) store.stopping = false;
  else if (store.stopping) sendStop(); // pressed before Python had begun
  if (job.state === 'idle' && job.kind === 'transcript') store.run('analyze'); // new subtitles came
}

function stop() {
  store.stopping = true;
  setJob(store.job);
  sendStop();
}

function sendStop() {
  store.server.stop({ project: store.view.id });
}

export function stepButton(kind) {
  const small = h('small', {});
  const element = h('button', { type: 'button', class: 'step', 'data-step': kind, onclick: () => store.run(kind) },
    h('span', { class: 'what' }, h('b', {}, t(`step_${kind}`)), small));
  subscribe(['view', 'job'], () => {
    const frozen = isBusy();
    setText(small, HINTS[kind](store.view, store.view.segments ?? []));
    element.title = small.textContent;
    element.disabled = frozen || (kind !== 'analyze' && !store.view.analyzed);
    element.classList.toggle('next', kind === 'render' && !frozen && (!store.view.result || store.view.result.stale));
    element.classList.toggle('running', frozen && store.job.kind === kind);
  });
  return element;
}

const countStale = (segments) => segments.filter((s) => s.stale).length;
const hasMusic = (segments) => segments.some((s) => s.takes.length);

const HINTS = {
  analyze: ({ analyzed }) => t(analyzed ? 'analyzed' : 'analyze_hint'),
  render: ({ result }, all) => {
    if (result && !result.stale) return t('render_done');
    return countStale(all) && hasMusic(all) ? t('render_changed', { n: countStale(all) }) : t('render_hint');
  },
};

// What waits for the creator's word: music of an engine that costs, or a step that was stopped or failed.
function nextButton() {
  const element = h('button', { type: 'button', class: 'step next', hidden: true, onclick: () => store.run(element.dataset.step) });
  subscribe(['view', 'job'], () => {
    const { preview, segments = [] } = store.view;
    const own = lacking();
    const step = own ? isHalted() && own : preview?.stale && 'compose';
    element.hidden = !step || isRunning();
    element.dataset.step = step || '';
    if (step) setText(element, t(`do_${step}`, { n: countStale(segments) }));
  });
  return element;
}

// How far the work is, `kind`: only of this step. What matters most comes first; where there is no room for all of it the last
// is left out whole, and a click shows it.
export function progress(kind = null) {
  const bar = h('progress', { max: '1', value: '0' });
  const parts = ['far', 'left', 'what', 'count'].map((name) => h('span', { class: name }));
  const text = kind ? h('span', { class: 'doing' }, parts) : disclosed(parts);
  const end = button('close', t('stop'), stop, { text: t('stop') });
  const stage = h('span', { class: 'heard', role: 'status' }); // each stage is told, not each step of it
  const row = h('div', { class: kind ? 'making' : 'progress', hidden: true }, bar, end, text, kind ? '' : stage);
  subscribe(['job'], () => {
    const { job } = store;
    row.hidden = !isRunning() || (kind !== null && job.kind !== kind);
    end.disabled = store.stopping;
    if (job.overall === undefined) bar.removeAttribute('value');
    else bar.value = job.overall;
    const words = doing(job);
    parts.forEach((part, i) => setText(part, words[i]));
    text.title = words.filter(Boolean).join(' · ');
    setText(stage, words[2]);
  });
  return row;
}

// A line of which as much is seen as has room; pressed, all of it.
function disclosed(parts) {
  const text = h('button', { type: 'button', class: 'doing', 'aria-expanded': 'false' }, parts);
  const open = (isOpen) => text.setAttribute('aria-expanded', String(isOpen));
  text.addEventListener('click', () => open(text.getAttribute('aria-expanded') === 'false'));
  text.addEventListener('keydown', ({ key }) => key === 'Escape' && open(false));
  text.addEventListener('blur', () => open(false));
  return text;
}

function doing({ state, stage, note, remaining, overall, position }) {
  if (state === 'waiting') return ['', '', position ? t('waiting', { n: position }) : t('starting'), ''];
  return [overall === undefined ? '' : percent(overall), left(remaining), stage && has(`stage_${stage}`) ? t(`stage_${stage}`) : '', counted(note)];
}

// The stages' own words: what is counted, fetched or loaded; all else says no more than the stage.
function counted(note) {
  const [, k, n] = /^(?:composing|segment|sentence) (\d+) of (\d+)$/.exec(note ?? '') ?? [];
  if (n) return t('count_of', { k, n });
  const [, act, what] = /^(fetching|loading) (.+)$/.exec(note ?? '') ?? [];
  return act ? t(act, { what }) : ''; // which model is loaded is the chip's to say
}

function left(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds >= 90) return t('left_minutes', { n: Math.round(seconds / 60) });
  return t('left_seconds', { n: seconds < 10 ? Math.max(1, Math.ceil(seconds)) : Math.round(seconds / 5) * 5 });
}

// What went wrong stands in the room that caused it when that has a place for it, else under the steps.
function problem() {
  const home = h('div', { class: 'news' });
  const text = h('span', {});
  const box = h('div', { class: 'problem', role: 'alert', hidden: true }, text, button('close', t('dismiss'), () => setJob({ state: 'idle' })));
  subscribe(['job'], () => {
    const { job } = store;
    const isNews = job.state === 'failed' || (job.state === 'stopped' && job.kind !== 'preview');
    box.hidden = !isNews;
    box.dataset.state = job.state;
    const place = document.querySelector(`[data-problems='${job.kind}']`) ?? home;
    place.append(box);
    setText(text, job.state === 'stopped' ? t('stopped') : said(job.error ?? ''));
    if (isNews && place !== home) box.scrollIntoView({ block: 'nearest' });
  });
  return home;
}
