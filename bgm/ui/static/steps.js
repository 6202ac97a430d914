// The three steps, how far the running one is, and what went wrong.
import { button, h, setText } from './dom.js';
import { isBusy, isRunning, setJob, setView, store, subscribe } from './store.js';
import { has, said, t } from './texts.js';

export function mount({ element, props, trigger, watch }) {
  let next = null;
  store.run = (step, more = {}) => {
    if (isRunning() && store.job.kind === 'preview') {
      next = [step, more];
      stop();
      return;
    }
    store.stopping = false;
    setJob({ state: 'waiting', kind: step, position: 0 });
    trigger('run', { step, ...more });
  };
  const buttons = { analyze: step(1, 'analyze'), generate: step(2, 'generate'), render: step(3, 'render') };
  const title = h('strong', { class: 'title' });
  const leave = button('close', t('new_video'), () => {
    setView({ id: null });
    trigger('close');
  }, { text: t('new_video') });
  const engines = h('details', { class: 'engines' }, h('summary', {}), h('ul', {}));
  const root = element.querySelector('.bgm-steps');
  root.replaceChildren(
    h('div', { class: 'steps card' }, h('div', { class: 'flow' }, Object.values(buttons)),
      h('div', { class: 'foot' }, title, h('div', { class: 'now' }, progress(), engines), leave)), problem());
  subscribe(['view', 'job'], () => {
    setText(title, store.view.title ?? '');
    refresh(buttons);
    showEngines(engines);
  });
  const hear = (job) => {
    if (next && job.state !== 'running' && job.state !== 'waiting') {
      const [step, more] = next;
      next = null;
      setJob({ state: 'idle' });
      store.run(step, more);
    } else onJob(job);
  };
  watch('value', () => hear(props.value));
  hear(props.value); // it may have come before this script
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

function step(number, kind) {
  return h('button', { type: 'button', class: 'step', 'data-step': kind, onclick: () => store.run(kind) },
    h('span', { class: 'number' }, String(number)),
    h('span', { class: 'what' }, h('b', {}, t(`step_${kind}`)), h('small', {})));
}

function refresh({ analyze, generate, render }) {
  const { view } = store;
  const all = view.segments ?? [];
  const stale = all.filter((s) => s.stale).length;
  const isFirst = !all.some((s) => s.takes.length);
  const frozen = isBusy();
  const next = !view.analyzed ? analyze : stale ? generate : !view.result || view.result.stale ? render : null;
  hint(analyze, view.analyzed ? t('analyzed') : t('analyze_hint'));
  hint(generate, isFirst ? t('generate_hint') : stale ? t('generate_changed', { n: stale }) : t('generate_done'));
  hint(render, view.result && !view.result.stale ? t('render_done') : stale && !isFirst ? t('render_changed', { n: stale }) : t('render_hint'));
  analyze.disabled = frozen;
  generate.disabled = frozen || !view.analyzed;
  render.disabled = frozen || !view.analyzed;
  for (const element of [analyze, generate, render]) {
    element.classList.toggle('next', element === next && !frozen);
    element.classList.toggle('running', frozen && store.job.kind === element.dataset.step);
  }
}

function hint(element, text) {
  setText(element.querySelector('small'), text);
}

function progress() {
  const bar = h('progress', { max: '1', value: '0' });
  const text = h('span', { class: 'doing', role: 'status' });
  const end = button('close', t('stop'), stop, { text: t('stop') });
  const row = h('div', { class: 'progress', hidden: true }, bar, text, end);
  subscribe(['job'], () => {
    const { job } = store;
    row.hidden = !isRunning();
    end.disabled = store.stopping;
    if (job.overall === undefined) bar.removeAttribute('value');
    else bar.value = job.overall;
    setText(text, doing(job));
  });
  return row;
}

function doing({ state, stage, note, remaining, position }) {
  if (state === 'waiting') return position ? t('waiting', { n: position }) : t('starting');
  const parts = [stage && has(`stage_${stage}`) ? t(`stage_${stage}`) : '', translated(note), left(remaining)];
  return parts.filter(Boolean).join(' · ');
}

// The stages' own words: counts are translated, other figures shown as they are; mere names say no more than the stage.
function translated(note) {
  const found = /^(composing|segment|sentence) (\d+) of (\d+)$/.exec(note ?? '');
  if (found) return t(found[1] === 'sentence' ? 'sentence_of' : 'segment_of', { k: found[2], n: found[3] });
  return /\d|load|fetch|download/i.test(note ?? '') ? note : '';
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
    const isNews = job.state === 'failed' || job.state === 'stopped';
    box.hidden = !isNews;
    box.dataset.state = job.state;
    const place = document.querySelector(`[data-problems='${job.kind}']`) ?? home;
    place.append(box);
    setText(text, job.state === 'stopped' ? t('stopped') : said(job.error ?? ''));
    if (isNews && place !== home) box.scrollIntoView({ block: 'nearest' });
  });
  return home;
}

// 'riffusion: not installed: diffusers → embedded': each engine that was passed over with its reason, then the one taken.
const why = (reason) => reason.split(' → ').map((part) => {
  const [, name, missing] = /^([\w-]+): (.*)$/s.exec(part) ?? [];
  return name ? `${name}: ${said(missing)}` : said(part);
}).join(' → ');

// Which engine did what in one line, and why behind it; the line makes way for a step that runs.
function showEngines(element) {
  const used = (store.view.engines ?? []).map(({ stage, name, reason }) => [`${t(`uses_${stage}`)}: ${name}`, why(reason)]);
  setText(element.firstChild, used.map(([engine]) => engine).join('  ·  '));
  element.lastChild.replaceChildren(...used.map(([engine, reason]) => h('li', {}, `${engine} (${reason})`)));
  element.hidden = !used.length || isRunning();
}
