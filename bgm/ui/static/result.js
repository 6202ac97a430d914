// The finished video, to be looked at and taken away, and what the making of it kept and changed.
import { h, icon, setText } from './dom.js';
import { soundsAlone } from './playback.js';
import { store, subscribe } from './store.js';
import { t } from './texts.js';

export function resultRoom() {
  const video = h('video', { playsinline: true, controls: true, preload: 'metadata', 'aria-label': t('result') });
  const numbers = h('p', { class: 'note' });
  const save = h('a', { class: 'btn primary', download: true }, icon('download'), h('span', {}, t('download_video')));
  const stop = () => video.pause();
  video.addEventListener('play', () => soundsAlone(stop));
  const room = h('section', { class: 'result', 'aria-label': t('result') }, video, numbers, h('div', { class: 'row' }, save));
  subscribe(['view'], () => show(room, video, numbers, save));
  return room;
}

function show(room, video, numbers, save) {
  const { result, media } = store.view;
  room.hidden = !result;
  if (!result) return;
  load(video, result.url, media.poster);
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

// What any step changed or lost of the video, and what the finished file has as it was.
export function notesRoom() {
  const changed = h('ul', { class: 'changed' });
  const kept = h('ul', { class: 'kept' });
  const room = h('section', { class: 'notes', 'aria-label': t('notes') }, h('h2', {}, t('notes')),
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
