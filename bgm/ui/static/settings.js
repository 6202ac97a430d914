// What the creator may set for the whole video.
import { h } from './dom.js';
import { pageTools } from './header.js';
import { ask, isBusy, store, subscribe } from './store.js';
import { stepButton } from './steps.js';
import { engineName, t } from './texts.js';

const LOUDNESS = [['-14', 'loudness_youtube'], ['-16', 'loudness_apple'], ['-23', 'loudness_ebu'], ['', 'loudness_none']];
const LANGUAGES = ['', 'en', 'ko', 'ja', 'zh', 'es', 'fr', 'de', 'pt', 'it', 'ru', 'hi', 'id', 'vi', 'th', 'tr', 'ar'];
const { controls } = window.bgm;
const AUTO = 'auto';

export function settingsRoom() {
  const fields = [
    range('min_segment', 0.5, (value) => t('seconds', { n: value.toFixed(1) }), automatic('min_segment')),
    range('takes', 1, String),
    choice('lufs', LOUDNESS.map(([value, key]) => [value, t(key)]), (text) => (text ? Number(text) : null)),
    choice('language', LANGUAGES.map((code) => [code, languageName(code)]), (text) => text || null),
    soundTrack(),
    engine('transcriber'),
    engine('music'),
    toggle('duck'),
  ];
  subscribe(['view', 'job'], () => {
    for (const field of fields) field.show(store.view.settings?.[field.name], isBusy());
  });
  const hint = h('p', { class: 'note' }, t('settings_hint'));
  return h('div', { class: 'fields-of-all' }, pageTools(), hint, h('div', { class: 'grid' }, fields.map((field) => field.element)), h('div', { class: 'row' }, stepButton('analyze')));
}

// What is only drawn anew is drawn at once; to hear the video again is the creator's to ask.
export async function save(name, value) {
  if ((await ask('set_settings', { changes: { [name]: value } })) && name === 'min_segment' && store.view.analyzed) store.run('read_emotions');
}

const engine = (name) => choice(name, controls[name].choices.map((own) => [own, engineName(own)]));

function range(name, step, format, extra = null) {
  const { min, max } = controls[name];
  const input = h('input', { type: 'range', min, max, step });
  const output = h('output', {});
  const print = () => {
    output.textContent = format(Number(input.value));
  };
  input.addEventListener('input', print);
  input.addEventListener('change', () => save(name, Number(input.value)));
  const show = (value, frozen) => {
    input.value = Number.isFinite(value) ? value : min;
    input.disabled = frozen;
    if (value === AUTO) output.textContent = '';
    else print();
    extra?.show(value, frozen);
  };
  return { name, show, element: labelled(name, h('span', { class: 'row' }, input, output, extra?.element)) };
}

// A switch beside a slider: let the studio choose.
function automatic(name) {
  const element = h('button', { type: 'button', class: 'btn', onclick: () => save(name, AUTO) }, t('automatic'));
  const show = (value, frozen) => {
    element.setAttribute('aria-pressed', String(value === AUTO));
    element.disabled = frozen;
  };
  return { element, show };
}

function choice(name, options, read = (text) => text) {
  const select = h('select', {}, options.map(([value, text]) => h('option', { value }, text)));
  select.addEventListener('change', () => save(name, read(select.value)));
  const show = (value, frozen) => {
    select.value = value ?? '';
    select.disabled = frozen;
  };
  return { name, show, element: labelled(name, select) };
}

// Shown where the video has several sound tracks: their names come from the file.
function soundTrack() {
  const field = choice('audio_track', []);
  const select = field.element.querySelector('select');
  let known = '';
  const show = (value, frozen) => {
    const names = store.view.sounds ?? [];
    field.element.hidden = names.length < 2;
    if (names.join() !== known) {
      known = names.join();
      const tracks = names.map((name, i) => [String(i + 1), name]);
      const options = [[AUTO, t('track_auto')], ...tracks, ['mix', t('track_mix')]];
      select.replaceChildren(...options.map(([code, text]) => h('option', { value: code }, text)));
    }
    field.show(value, frozen);
  };
  return { ...field, show };
}

export function toggle(name) {
  const input = h('input', { type: 'checkbox', onchange: () => save(name, input.checked) });
  const show = (value, frozen) => {
    input.checked = Boolean(value);
    input.disabled = frozen;
  };
  return { name, show, element: h('label', { class: 'check' }, input, h('span', {}, t(`set_${name}`))) };
}

function labelled(name, control) {
  return h('label', {}, h('span', {}, t(`set_${name}`)), control);
}

function languageName(code) {
  if (!code) return t('detect');
  return new Intl.DisplayNames([document.documentElement.lang], { type: 'language' }).of(code);
}
