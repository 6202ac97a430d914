// The video, with a choice of what is heard: its own sound, or the music with the voice.
import { hearMusic, hearOriginal } from './current.js';
import { button, clock, h, icon, setText } from './dom.js';
import { attach, hear, isPlaying, onTime, RATES, seek, setRate, sound, toggle } from './playback.js';
import { isRunning, store, subscribe } from './store.js';
import { t } from './texts.js';

export function playerRoom() {
  const video = h('video', { playsinline: true, preload: 'metadata', tabindex: '-1', onclick: toggle });
  const note = h('p', { class: 'note', hidden: true });
  const bar = controls(video);
  attach(video);
  video.addEventListener('error', () => playSoundOnly(video, note));
  video.addEventListener('loadedmetadata', () => video.classList.toggle('no-picture', !video.videoHeight));
  subscribe(['view'], () => {
    load(video, note);
    if (video.error) playSoundOnly(video, note); // its sound may have been decoded since
  });
  return h('section', { class: 'player card', 'aria-label': t('player') }, h('div', { class: 'screen' }, video), note, bar);
}

function load(video, note) {
  const address = store.view.media?.video ?? null;
  if (video.dataset.address === String(address)) return;
  video.dataset.address = String(address);
  note.hidden = true;
  store.withMusic = true;
  hear(null);
  if (address) {
    video.poster = store.view.media.poster;
    video.src = address;
  } else video.removeAttribute('src');
}

// A format that the browser can't play is still worked on: its sound was decoded by the analysis.
function playSoundOnly(video, note) {
  const audio = store.view.media?.audio;
  if (!video.hasAttribute('src')) return;
  note.hidden = false;
  note.textContent = t(audio ? 'picture_unplayable' : 'unplayable');
  if (audio && !video.src.includes(audio)) video.src = audio;
}

function controls(video) {
  const playing = button('play', t('play'), toggle, { key: t('key_space') });
  const passed = h('span', {});
  const total = h('span', { class: 'total' });
  const time = h('span', { class: 'time' }, passed, total);
  const position = h('input', { type: 'range', min: '0', step: '0.05', value: '0', 'aria-label': t('position') });
  const volume = h('input', { type: 'range', min: '0', max: '1', step: '0.05', value: '1', class: 'volume', 'aria-label': t('volume') });
  const speed = h('select', { class: 'speed', 'aria-label': t('speed'), title: t('speed') }, RATES.map((rate) => h('option', { value: rate }, `${rate}×`)));
  speed.addEventListener('change', () => setRate(Number(speed.value)));
  video.addEventListener('ratechange', () => {
    speed.value = video.playbackRate;
  });
  speed.value = 1;
  const full = button('full', t('fullscreen'), () => video.requestFullscreen?.(), { class: 'btn fullscreen' });
  position.addEventListener('input', () => seek(Number(position.value)));
  volume.addEventListener('input', () => {
    video.volume = Number(volume.value);
  });
  onTime((at) => {
    const duration = store.view.duration ?? 0;
    position.max = duration;
    position.value = at;
    setText(passed, clock(at));
    setText(total, ` / ${clock(duration)}`);
    showPlaying(playing);
  });
  return h('div', { class: 'controls' }, playing, position, time, speed, volume, full, sources());
}

function showPlaying(element) {
  const wanted = isPlaying() ? 'pause' : 'play';
  if (element.dataset.shows === wanted) return;
  element.dataset.shows = wanted;
  element.replaceChildren(icon(wanted));
}

function sources() {
  const original = h('button', { type: 'button', onclick: () => choose(hearOriginal) }, t('hear_original'));
  const music = h('button', { type: 'button', onclick: () => choose(hearMusic) }, t('hear_music'));
  const old = h('span', { class: 'old-mix', 'aria-hidden': 'true' }); // over the picture's edge: it comes and goes, and nothing moves
  const group = h('div', { class: 'sources' }, old, h('div', { class: 'switch', role: 'group', 'aria-label': t('hear') }, original, music));
  subscribe(['view', 'job'], () => show(original, music, old));
  return group;

  function choose(source) {
    source();
    show(original, music, old);
  }
}

function show(original, music, old) {
  const { preview, segments = [] } = store.view;
  const isMixing = isRunning() && store.job.kind === 'preview';
  const isOld = store.withMusic && sound.source === 'music' && !isMixing && (!preview?.url || preview.stale);
  const isHeard = store.withMusic && segments.some((s) => s.chosen);
  original.setAttribute('aria-pressed', String(!isHeard));
  music.setAttribute('aria-pressed', String(isHeard));
  music.classList.toggle('busy', isMixing);
  music.setAttribute('aria-busy', String(isMixing));
  setText(old, isOld ? t('mix_old') : '');
  music.disabled = !segments.some((s) => s.chosen);
  music.title = t(music.disabled ? 'no_music_yet' : isOld ? 'hear_again_hint' : 'hear_music_hint');
}
