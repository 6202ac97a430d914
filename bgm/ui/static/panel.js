// The selected segment: the seven scores of what is said in it, its music, its takes.
import { isHalted } from './current.js';
import { button, clock, h, setText } from './dom.js';
import { now } from './playback.js';
import { chosenSegments, commit, EMOTIONS, currentRun, follow, isBusy, isSpoken, selectedSegment, store, subscribe } from './store.js';
import { anotherTake, takesList } from './takes.js';
import { emotionName, styleName, t } from './texts.js';
import { playSegment, setEach } from './timeline/actions.js';
import { isOwn, percent } from './timeline/strip.js';

const { controls } = window.bgm;

export function segmentRoom() {
  const title = h('h2', {});
  const when = h('span', { class: 'when' });
  const stale = h('p', { class: 'note stale-note' });
  const more = button('refresh', t('another_take'), another, { text: t('another_take') });
  const make = button('refresh', t('make_take'), remake, { text: t('make_take') });
  const own = button('upload', t('own_audio'), pickOwnSound, { text: t('own_audio') });
  const head = h('header', {}, button('play', t('play_segment'), playSegment), title, when, h('span', { class: 'grow' }), switches());
  const room = h('div', { class: 'segment' }, head,
    h('div', { class: 'halves' }, scores(), fields()), h('div', { class: 'row' }, h('h3', {}, t('takes')), more, own, make), takesList(), stale,
    h('div', { 'data-problems': 'segment' }));
  subscribe(['view', 'selected', 'picked', 'job'], () => {
    const segment = selectedSegment();
    if (!segment) return;
    const all = chosenSegments();
    const count = all.length;
    setText(title, count > 1 ? t('n_segments', { n: count }) : emotionName(segment.emotion));
    const length = t('seconds', { n: all.reduce((sum, { start, end }) => sum + end - start, 0).toFixed(1) });
    setText(when, count > 1 ? length : `${clock(segment.start)} – ${clock(segment.end)} · ${length}`);
    setText(stale, note(segment));
    const frozen = isBusy() || segment.locked;
    make.hidden = !segment.stale || segment.silent || (store.view.preview.composes && !isHalted()); // else it is made by itself
    make.disabled = frozen;
    more.hidden = segment.silent || !segment.takes.length;
    more.disabled = frozen;
    own.disabled = isBusy();
  });
  return room;
}

function note(segment) {
  if (segment.silent) return t('silent_note');
  if (segment.locked) return t('locked_note');
  if (!segment.takes.length) return t('no_takes');
  return segment.stale ? t('stale_note') : '';
}

const another = () => anotherTake(selectedSegment());

const remake = () => store.run('compose', { segments: [store.selected] });

const pickOwnSound = () => pick('#bgm-own-audio');

window.bgm.picked = {};

// Gradio's upload button does the upload; ours shows where it belongs. The file goes to the project and the segment for which it
// was asked, whatever is shown when it was found and sent (page.py reads that).
export function pick(where) {
  window.bgm.picked[where] = [store.view.id, store.selected];
  document.querySelector(`button${where}`).click();
}

function scores() {
  const rows = EMOTIONS.map((emotion) => {
    const bar = h('span', { class: 'fill', style: `background: var(--fill-${emotion})` });
    const number = h('span', { class: 'value' });
    const row = h('li', { class: 'score', 'data-emotion': emotion },
      h('span', { class: 'name' }, emotionName(emotion)), h('span', { class: 'meter' }, bar), number);
    return Object.assign(row, { bar, number });
  });
  const origin = h('p', { class: 'note' });
  subscribe(['view', 'selected'], () => {
    const segment = selectedSegment();
    if (!segment) return;
    rows.forEach((row, i) => showScore(row, segment, segment.scores?.[i]));
    setText(origin, origins(segment));
  });
  return h('div', { class: 'scores' }, h('ul', { 'aria-label': t('scores') }, rows), origin);
}

function showScore(row, segment, score) {
  const isHere = row.dataset.emotion === segment.emotion;
  row.classList.toggle('here', isHere);
  row.bar.style.width = `${(score ?? 0) * 100}%`;
  setText(row.number, score === undefined ? '' : percent(score));
}

function origins(segment) {
  if (isOwn(segment)) return t('emotion_by_you');
  if (!segment.scores) return t(isSpoken(segment) ? 'unread_hint' : 'emotion_no_speech');
  return t(segment.confidence < 0.5 ? 'emotion_unsure' : 'emotion_by_model', { share: percent(segment.confidence) });
}

function fields() {
  const prompt = h('textarea', { rows: '2', maxlength: controls.segment.prompt.longest, placeholder: t('prompt_hint') });
  const read = h('p', { class: 'note wide read', role: 'status' });
  const { seed: { min, max }, gain_db: level } = controls.segment;
  const seed = h('input', { type: 'number', min, max, step: '1' });
  const styles = controls.style.choices.filter((own) => own !== 'auto');
  const style = h('select', {}, h('option', { value: '' }, t('style_of_all')), styles.map((own) => h('option', { value: own }, styleName(own))));
  const gain = h('input', { type: 'range', ...level, step: '0.5' });
  const decibels = h('output', {});
  save(prompt, 'prompt', () => prompt.value.trim());
  save(seed, 'seed', () => Math.min(max, Math.max(min, Math.round(Number(seed.value) || 0))));
  save(style, 'style', () => style.value || null);
  save(gain, 'gain_db', () => Number(gain.value));
  for (const input of [prompt, seed, gain]) input.addEventListener('blur', () => queueMicrotask(() => follow(now())));
  gain.addEventListener('input', () => setText(decibels, inDecibels(Number(gain.value))));
  const roll = button('dice', t('new_seed'), () => set('seed', Math.floor(Math.random() * (max + 1))));
  subscribe(['view', 'selected'], () => {
    const segment = selectedSegment();
    if (!segment) return;
    fill(prompt, segment.prompt);
    setText(read, reading(segment));
    fill(style, segment.style ?? '');
    fill(seed, segment.seed);
    fill(gain, segment.gain_db);
    setText(decibels, inDecibels(segment.gain_db));
  });
  return h('div', { class: 'fields' },
    labelled(t('prompt'), prompt, 'wide'), read, labelled(t('set_style'), style), labelled(t('seed'), h('span', { class: 'row' }, seed, roll)),
    labelled(t('gain'), h('span', { class: 'row' }, gain, decibels), 'wide level'));
}

function switches() {
  const silent = checkbox('silent', t('silent_field'));
  const locked = checkbox('locked', t('locked_field'), t('locked_hint'));
  subscribe(['view', 'selected'], () => {
    const segment = selectedSegment();
    if (!segment) return;
    silent.input.checked = segment.silent;
    locked.input.checked = segment.locked;
  });
  return h('div', { class: 'row switches' }, silent, locked);
}

// What the composer makes of the creator's own words, and what it makes nothing of.
export function reading({ prompt, understood, unread, instead }) {
  if (!prompt || understood === undefined) return '';
  if (understood === null) return t('understood_all');
  const said = [
    understood.length ? t('understood', { words: understood.join(' · ') }) : '',
    unread.length ? t('not_understood', { words: unread.join(' · ') }) : '',
    ...instead.map(([words, played]) => t('played_instead', { words, played })),
    understood.length ? '' : t('understood_nothing'),
  ];
  return said.filter(Boolean).join(' ');
}

export const inDecibels = (value) => `${value > 0 ? '+' : ''}${value.toFixed(1)} dB`;

function labelled(text, control, className = '') {
  return h('label', { class: className }, h('span', {}, text), control);
}

function checkbox(field, text, title = null) {
  const input = h('input', { type: 'checkbox', onchange: () => set(field, input.checked) });
  return Object.assign(h('label', { class: 'check', title }, input, h('span', {}, text)), { input });
}

function set(field, value) {
  if (field === 'seed') commit({ op: 'set', id: store.selected, field, value });
  else setEach(field, value);
}

const FOR_ALL = new Set(['gain_db', 'style']); // what is set for all the picked segments; words and seed are one's own

// What is typed belongs to the segment that was selected when typing began.
function save(input, field, read) {
  let id = null;
  input.addEventListener('focus', () => {
    id = store.selected;
  });
  input.addEventListener('change', () => {
    const segment = (store.view.segments ?? []).find((s) => s.id === (id ?? store.selected));
    const isOfAll = FOR_ALL.has(field) && chosenSegments().length > 1;
    if (isOfAll) setEach(field, read(), input.type === 'range' ? currentRun() : null);
    else if (segment && segment[field] !== read()) commit({ op: 'set', id: segment.id, field, value: read(), ...(input.type === 'range' && { run: currentRun() }) });
  });
}

// A field in which one is typing keeps what is typed.
function fill(input, value) {
  if (document.activeElement !== input || input.type === 'range') input.value = value;
  else if (input.dataset.segment !== store.selected) input.value = value;
  input.dataset.segment = store.selected;
}
