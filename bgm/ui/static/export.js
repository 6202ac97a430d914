// The Export sheet: the finished video, which is made of what the timeline is now, and the other forms of the project.
import { isHalted } from './current.js';
import { h, icon, setText } from './dom.js';
import { soundsAlone } from './playback.js';
import { toggle } from './settings.js';
import { progress, stepButton } from './steps.js';
import { isBusy, isRunning, store, subscribe } from './store.js';
import { said, t } from './texts.js';

export function exportRoom() {
  const tracks = [toggle('subtitle_track'), toggle('keep_original')];
  const beside = h('div', { class: 'beside' }, tracks.map((field) => field.element));
  subscribe(['view', 'job'], () => {
    beside.hidden = !store.view.media?.poster; // a sound file has no tracks beside its sound
    for (const field of tracks) field.show(store.view.settings?.[field.name], isBusy());
  });
  return [beside, stepButton('render'), h('div', { class: 'reserved' }, progress('render')), formsRoom(), resultRoom()]; // what comes last moves nothing
}

function resultRoom() {
  const video = h('video', { playsinline: true, controls: true, preload: 'metadata', 'aria-label': t('result') });
  const numbers = h('p', { class: 'note numbers' });
  const save = h('a', { class: 'btn primary', download: true }, icon('download'), h('span', {}, t('download_video')));
  const stop = () => video.pause();
  video.addEventListener('play', () => soundsAlone(stop));
  const room = h('section', { class: 'result', 'aria-label': t('result') }, video, numbers, h('div', { class: 'row' }, save), notes());
  subscribe(['view'], () => show(room, video, numbers, save));
  return room;
}

function show(room, video, numbers, save) {
  const { result, media, notes: told } = store.view;
  room.hidden = !result;
  if (!result) return;
  if (video.dataset.address !== result.url) {
    video.dataset.address = result.url;
    video.poster = media.poster ?? '';
    video.src = result.url;
    if (store.job.kind === 'render') room.scrollIntoView({ block: 'nearest' });
  }
  save.href = `${result.url}&download`;
  const first = told.kept[0] ? said(told.kept[0]) : '';
  setText(numbers, [result.stale ? t('result_stale') : '', ...measured(result), first].filter(Boolean).join(' · '));
  numbers.classList.toggle('warn', result.stale);
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
function notes() {
  const changed = h('ul', { class: 'changed' });
  const kept = h('ul', { class: 'kept' });
  const room = h('details', { class: 'notes' }, h('summary', {}, t('notes')), h('h3', {}, t('notes_changed')), changed, h('h3', {}, t('notes_kept')), kept);
  subscribe(['view'], () => {
    const told = store.view.notes ?? { changed: [], kept: [] };
    room.hidden = !told.changed.length && !told.kept.length;
    list(changed, told.changed);
    list(kept, told.kept);
  });
  return room;
}

function list(place, sentences) {
  place.replaceChildren(...sentences.map((sentence) => h('li', {}, said(sentence))));
  place.hidden = place.previousElementSibling.hidden = !sentences.length;
}

// Which forms there are is Python's to say (bgm/export.py).
function formsRoom() {
  const links = h('div', { class: 'row' });
  const project = h('a', { class: 'btn', download: true }, icon('film'), h('span', {}, t('export_project')));
  let awaited = null;
  subscribe(['view', 'job'], () => {
    const { id, exports = [], preview } = store.view;
    const base = `${window.bgm.prefix}/${id}`;
    if (exports.length && !links.children.length) links.append(...exports.map((form) => link(form, (element) => {
      awaited = element;
      if (!isRunning()) store.run('preview');
    })), project);
    for (const element of links.querySelectorAll('[data-kind]')) element.href = `${base}/export/${element.dataset.kind}`;
    project.href = `${base}/project`;
    if (isHalted()) awaited = null;
    if (!awaited || isRunning() || !preview?.url) return;
    const element = awaited;
    awaited = null;
    element.click();
  });
  return h('section', { class: 'exports', 'aria-label': t('exports') }, h('h2', {}, t('exports')), h('p', { class: 'note' }, t('exports_hint')), links);
}

// Sound comes from the mix: where that is out of date it is made first, and then taken away.
function link({ kind, is_sound: isSound }, mixFirst) {
  const element = h('a', { class: 'btn', 'data-kind': kind, download: true }, icon('download'), h('span', {}, t(`export_${kind}`)));
  element.addEventListener('click', (event) => {
    if (!isSound || store.view.preview?.url) return;
    event.preventDefault();
    mixFirst(element);
  });
  return element;
}
