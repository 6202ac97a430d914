// The Export sheet: the finished video, which is made of what the timeline is now, and the other forms of the project.
import { isHalted } from './current.js';
import { h, icon, set, setText } from './dom.js';
import { soundsAlone } from './playback.js';
import { toggle } from './settings.js';
import { progress, stepButton } from './steps.js';
import { isBusy, isRunning, say, store, subscribe } from './store.js';
import { said, t } from './texts.js';

export function exportRoom() {
  const tracks = [toggle('subtitle_track'), toggle('keep_original')];
  const beside = h('div', { class: 'beside' }, tracks.map((field) => field.element));
  subscribe(['view', 'job'], () => {
    beside.hidden = !store.view.media?.poster; // a sound file has no tracks beside its sound
    for (const field of tracks) field.show(store.view.settings?.[field.name], isBusy());
  });
  return [resultRoom(), beside, stepButton('render'), formsRoom()];
}

// On top: it has its place as soon as it is asked for, and how far it is stands where its download will.
function resultRoom() {
  const video = h('video', { playsinline: true, controls: true, preload: 'metadata', 'aria-label': t('result') });
  const frame = h('div', { class: 'frame' }, video);
  const numbers = h('p', { class: 'note numbers', role: 'status' });
  const save = h('a', { class: 'btn primary', download: true }, icon('download'), h('span', {}, t('download_video')));
  const stop = () => video.pause();
  video.addEventListener('play', () => soundsAlone(stop));
  const room = h('section', { class: 'result', 'aria-label': t('result') }, frame, h('div', { class: 'under' }, h('div', { class: 'made' }, save, numbers), progress('render')), notes());
  let awaited = null; // of which project a video is made, and the address of the one before
  subscribe(['view', 'job'], () => {
    const { id, result, media } = store.view;
    const isMaking = isRunning() && store.job.kind === 'render';
    if (isMaking) awaited ??= { id, url: result?.url };
    else if (['stopped', 'failed'].includes(store.job.state) || awaited?.id !== id) awaited = null;
    room.hidden = !result && !isMaking;
    room.classList.toggle('busy', isMaking);
    frame.style.backgroundImage = media?.poster ? `url("${media.poster}")` : '';
    frame.classList.toggle('sound', !media?.poster);
    show(video, numbers, save);
    if (isMaking || !awaited || !result || result.url === awaited.url) return;
    awaited = null;
    present(room.closest('dialog'), save);
  });
  return room;
}

function show(video, numbers, save) {
  const { result, notes: told } = store.view;
  video.hidden = !result;
  if (!result) return;
  if (video.dataset.address !== result.url) {
    video.dataset.address = result.url;
    video.src = result.url;
  }
  save.href = `${result.url}&download`;
  const first = told.kept[0] ? said(told.kept[0]) : '';
  setText(numbers, [t(result.stale ? 'result_stale' : 'result_ready'), ...measured(result), first].filter(Boolean).join(' · '));
  numbers.classList.toggle('warn', result.stale);
}

// Whoever waits in the sheet is brought to the finished video; whoever works elsewhere is told.
function present(dialog, save) {
  const { activeElement: active } = document;
  dialog.scrollTop = 0;
  if (!dialog.open) say(t('result_waits'));
  else if (active === document.body || dialog.contains(active)) save.focus({ preventScroll: true }); // a button that was greyed has lost the focus
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
  const project = h('a', { class: 'btn', target: SAVE }, icon('film'), h('span', {}, t('export_project')));
  const hint = h('p', { class: 'note' });
  const problem = h('p', { class: 'note warn', role: 'alert' });
  let awaited = null;
  subscribe(['view', 'job'], () => {
    const { id, exports = [], preview, analyzed } = store.view;
    const base = `${window.bgm.prefix}/${id}`;
    if (exports.length && !links.children.length) links.append(...exports.map((form) => link(form, (element) => {
      awaited = { element, id: store.view.id };
      if (!isRunning()) store.run('preview');
    })), project);
    setText(hint, t(analyzed ? 'exports_hint' : 'exports_wait'));
    if (problem.dataset.of !== id) setText(problem, '');
    problem.dataset.of = id;
    for (const element of links.querySelectorAll('[data-kind]')) {
      set(element, 'href', analyzed ? `${base}/export/${element.dataset.kind}` : null);
      set(element, 'role', analyzed ? null : 'link'); // without an address it would be a text
      set(element, 'aria-disabled', analyzed ? null : 'true');
      set(element, 'title', analyzed ? null : t('exports_wait'));
    }
    project.href = `${base}/project`;
    if (isHalted() || awaited?.id !== id) awaited = null;
    if (!awaited || isRunning() || !preview?.url) return;
    const { element } = awaited;
    awaited = null;
    element.click();
  });
  return h('section', { class: 'exports', 'aria-label': t('exports') }, h('h2', {}, t('exports')), hint, problem, links, saver(problem));
}

// A file goes past this frame to the disk; what comes into it is the sentence why there is none. A link of its own would be the
// browser's failed download, without a word.
const SAVE = 'bgm-save';

function saver(problem) {
  const frame = h('iframe', { name: SAVE, title: t('exports'), hidden: true });
  frame.addEventListener('load', () => {
    const told = frame.contentDocument; // null: the browser's own page, that there is no connection
    if (told?.URL === 'about:blank') return;
    setText(problem, said(told?.body?.textContent.trim() || t('download_failed')));
  });
  return frame;
}

// Sound comes from the mix: where that is out of date it is made first, and then taken away.
function link({ kind, is_sound: isSound }, mixFirst) {
  const element = h('a', { class: 'btn', 'data-kind': kind, target: SAVE }, icon('download'), h('span', {}, t(`export_${kind}`)));
  element.addEventListener('click', (event) => {
    if (!isSound || store.view.preview?.url || !element.href) return;
    event.preventDefault();
    mixFirst(element);
  });
  return element;
}
