// The video, with a choice of what is heard: its own sound, or the music with the voice (mixed on request).
import { button, clock, h, icon, setText } from './dom.js';
import { attach, hear, isPlaying, onTime, seek, sound, toggle } from './playback.js';
import { isRunning, store, subscribe } from './store.js';
import { t } from './texts.js';

export function playerRoom() {
  const video = h('video', { playsinline: true, preload: 'metadata', tabindex: '-1', onclick: toggle });
  const note = h('p', { class: 'note', hidden: true });
  const bar = controls(video);
  attach(video);
  video.addEventListener('error', () => playSoundOnly(video, note));
  video.addEventListener('loadedmetadata', () => video.classList.toggle('no-picture', !video.videoHeight));
  subscribe(['view'], () => load(video, note));
  return h('section', { class: 'player card', 'aria-label': t('player') }, h('div', { class: 'screen' }, video), note, bar);
}

function load(video, note) {
  const address = store.view.media?.video ?? null;
  if (video.dataset.address === String(address)) return;
  video.dataset.address = String(address);
  note.hidden = true;
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
  const time = h('span', { class: 'time' });
  const position = h('input', { type: 'range', min: '0', step: '0.05', value: '0', 'aria-label': t('position') });
  const volume = h('input', { type: 'range', min: '0', max: '1', step: '0.05', value: '1', class: 'volume', 'aria-label': t('volume') });
  const full = button('full', t('fullscreen'), () => video.requestFullscreen?.());
  position.addEventListener('input', () => seek(Number(position.value)));
  volume.addEventListener('input', () => {
    video.volume = Number(volume.value);
  });
  onTime((at) => {
    const duration = store.view.duration ?? 0;
    position.max = duration;
    position.value = at;
    setText(time, `${clock(at)} / ${clock(duration)}`);
    showPlaying(playing);
  });
  return h('div', { class: 'controls' }, playing, position, time, volume, full, sources());
}

function showPlaying(element) {
  const wanted = isPlaying() ? 'pause' : 'play';
  if (element.dataset.shows === wanted) return;
  element.dataset.shows = wanted;
  element.replaceChildren(icon(wanted));
}

function sources() {
  const original = h('button', { type: 'button', onclick: () => choose('original') }, t('hear_original'));
  const music = h('button', { type: 'button', onclick: () => choose('music') }, t('hear_music'));
  const group = h('div', { class: 'switch', role: 'group', 'aria-label': t('hear') }, original, music);
  subscribe(['view', 'job'], () => {
    if (sound.source === 'music' || store.hearWhenReady) keepHearing();
    show(original, music);
  });
  return group;
}

function show(original, music) {
  const wantsMusic = sound.source === 'music' || store.hearWhenReady;
  original.setAttribute('aria-pressed', String(!wantsMusic));
  music.setAttribute('aria-pressed', String(Boolean(wantsMusic)));
  music.classList.toggle('busy', Boolean(store.hearWhenReady));
  music.disabled = !(store.view.segments ?? []).some((s) => s.chosen);
  music.title = t(music.disabled ? 'no_music_yet' : 'hear_music_hint');
}

function choose(source) {
  store.hearWhenReady = source === 'music';
  if (source === 'original') hear(null);
  else keepHearing();
  const [original, music] = document.querySelectorAll('.player .switch button');
  show(original, music);
}

// The mix that is heard follows the edits: a new one is asked for when it is wanted and out of date.
function keepHearing() {
  const address = store.view.preview?.url;
  if (address) {
    store.hearWhenReady = false;
    hear(address);
  } else if (store.hearWhenReady && !isRunning() && store.view.id) {
    if (store.job.state === 'failed' || store.job.state === 'stopped') store.hearWhenReady = false;
    else store.run('preview');
  }
}
