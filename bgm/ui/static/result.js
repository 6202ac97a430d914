// The finished video beside the original: one position, one of the two is heard.
import { button, clock, h, icon, setText } from './dom.js';
import { soundsAlone } from './playback.js';
import { store, subscribe } from './store.js';
import { t } from './texts.js';

const DRIFT = 0.15;

export function resultRoom() {
  const made = side('b', t('with_music'));
  const original = side('a', t('original'));
  const numbers = h('p', { class: 'note' });
  const save = h('a', { class: 'btn primary', download: true }, icon('download'), h('span', {}, t('download_video')));
  const room = h('section', { class: 'result card', 'aria-label': t('result') }, h('header', {}, h('h2', {}, t('result')), h('span', { class: 'grow' }), save),
    numbers, h('div', { class: 'pair' }, original, made), controls(original.video, made.video));
  subscribe(['view'], () => show(room, original.video, made.video, numbers, save));
  return room;
}

// What any step changed or lost of the video, and what the finished file has as it was.
export function notesRoom() {
  const changed = h('ul', { class: 'changed' });
  const kept = h('ul', { class: 'kept' });
  const room = h('section', { class: 'notes card', 'aria-label': t('notes') }, h('h2', {}, t('notes')),
    h('h3', {}, t('notes_changed')), changed, h('h3', {}, t('notes_kept')), kept);
  subscribe(['view'], () => {
    const notes = store.view.notes ?? { changed: [], kept: [] };
    room.hidden = !notes.changed.length && !notes.kept.length;
    list(changed, notes.changed);
    list(kept, notes.kept);
  });
  return room;
}

function list(place, sentences) {
  place.replaceChildren(...sentences.map((sentence) => h('li', {}, sentence)));
  place.hidden = place.previousElementSibling.hidden = !sentences.length;
}

function side(name, text) {
  const video = h('video', { playsinline: true, preload: 'metadata', tabindex: '-1' });
  return Object.assign(h('figure', { 'data-side': name }, video, h('figcaption', {}, h('b', {}, name.toUpperCase()), ` ${text}`)), { video });
}

function show(room, original, made, numbers, save) {
  const { result, media } = store.view;
  room.hidden = !result;
  if (!result) return;
  load(original, media.video, media.poster);
  load(made, result.url, media.poster);
  save.href = `${result.url}&download`;
  setText(numbers, [result.stale ? t('result_stale') : '', ...measured(result)].filter(Boolean).join(' · '));
  numbers.classList.toggle('warn', result.stale);
}

function load(video, address, poster) {
  if (video.dataset.address === address) return;
  video.dataset.address = address;
  video.poster = poster;
  video.src = address;
}

function measured({ lufs, true_peak_db: peak, under_speech_lu: under }) {
  const number = (value) => value.toFixed(1).replace('-', '−');
  return [
    lufs === null ? '' : t('measured_lufs', { n: number(lufs) }),
    peak === null ? '' : t('measured_peak', { n: number(peak) }),
    under === null ? '' : t('measured_under', { n: number(under) }),
  ];
}

function controls(original, made) {
  const playing = button('play', t('play'), () => (made.paused ? start() : made.pause()));
  const position = h('input', { type: 'range', min: '0', step: '0.05', value: '0', 'aria-label': t('position') });
  const time = h('span', { class: 'time' });
  const a = h('button', { type: 'button', onclick: () => hearSide('a') }, `A · ${t('original')}`);
  const b = h('button', { type: 'button', onclick: () => hearSide('b') }, `B · ${t('with_music')}`);

  const stop = () => made.pause();
  function start() {
    soundsAlone(stop);
    made.play().catch(() => {}); // the button shows that it did not start
  }

  function hearSide(name) {
    made.muted = name === 'a';
    original.muted = name === 'b';
    a.setAttribute('aria-pressed', String(name === 'a'));
    b.setAttribute('aria-pressed', String(name === 'b'));
    made.closest('.pair')?.setAttribute('data-heard', name);
  }

  position.addEventListener('input', () => {
    made.currentTime = Number(position.value);
  });
  for (const name of ['play', 'pause', 'seeking', 'timeupdate', 'loadedmetadata']) {
    made.addEventListener(name, () => {
      follow(original, made);
      position.max = made.duration || 0;
      position.value = made.currentTime;
      setText(time, `${clock(made.currentTime)} / ${clock(made.duration)}`);
      playing.replaceChildren(icon(made.paused ? 'play' : 'pause'));
    });
  }
  queueMicrotask(() => hearSide('b'));
  return h('div', { class: 'controls' }, playing, position, time, h('div', { class: 'switch', role: 'group', 'aria-label': t('hear') }, a, b));
}

function follow(original, made) {
  if (Math.abs(original.currentTime - made.currentTime) > DRIFT) original.currentTime = made.currentTime;
  if (made.paused !== original.paused) {
    if (made.paused) original.pause();
    else original.play().catch(() => {}); // a picture that can't be played stands still
  }
}
