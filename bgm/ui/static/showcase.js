// The sample with its score, as the landing shows it: it plays without a sound, its emotions run beneath, and one click lets
// one hear the video before and after. Whoever asked their system for less motion starts it themselves.
import { button, h, icon } from './dom.js';
import { emotionName, t } from './texts.js';

const DRIFT = 0.15; // seconds between the picture and its old sound that nobody minds
const stillness = window.matchMedia('(prefers-reduced-motion: reduce)');

export function showcase({ video: before, scored, poster, duration, segments, peaks }, open) {
  const video = h('video', { src: scored, poster, playsinline: true, loop: true, preload: stillness.matches ? 'none' : 'auto', tabindex: '-1', 'aria-label': t('showcase') });
  video.muted = true;
  const old = new Audio();
  old.preload = 'none';
  const sound = { kind: null, hear };
  const switches = ['original', 'music'].map((kind) => h('button', { type: 'button', 'data-hear': kind, onclick: () => hear(sound.kind === kind ? null : kind) }, t(`hear_${kind}`)));
  const playing = button('play', t('play'), toggle);
  const track = strip(duration, segments, peaks, (time) => {
    video.currentTime = time;
    step();
  });

  function hear(kind) {
    sound.kind = kind;
    video.muted = kind !== 'music';
    if (kind === 'original' && !old.src) old.src = before;
    if (kind && video.paused) video.play().catch(() => {});
    for (const element of switches) element.setAttribute('aria-pressed', String(element.dataset.hear === kind));
    step();
  }

  function toggle() {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  }

  // Playhead and old sound in step with the picture.
  function step() {
    track.show(video.currentTime);
    const sounds = sound.kind === 'original' && !video.paused;
    if (sounds && Math.abs(old.currentTime - video.currentTime) > DRIFT) old.currentTime = video.currentTime;
    if (sounds && old.paused) old.play().catch(() => {});
    if (!sounds) old.pause();
  }

  const frame = () => {
    step();
    if (!video.paused) requestAnimationFrame(frame);
  };
  video.addEventListener('click', toggle);
  for (const name of ['play', 'pause', 'seeked']) video.addEventListener(name, () => {
    playing.replaceChildren(icon(video.paused ? 'play' : 'pause'));
    frame();
  });
  hear(null);

  // Only while the landing is seen.
  const rest = () => {
    sound.hear(null);
    video.pause();
  };
  const begin = () => stillness.matches || video.play().catch(() => {}); // a browser that forbids it shows the still
  const element = h('section', { class: 'showcase card', 'aria-label': t('showcase') }, h('div', { class: 'screen' }, video), track.element,
    h('div', { class: 'row' }, playing, h('span', { class: 'note' }, t('hear_it')), h('div', { class: 'switch', role: 'group', 'aria-label': t('hear') }, switches), h('span', { class: 'grow' }),
      button('film', t('try_sample'), open, { text: t('try_sample'), class: 'btn primary' })));
  return { element, begin, rest };
}

// The stretches in their colours with the music's waveform in them; a click goes there.
function strip(duration, segments, peaks, seek) {
  const loudest = Math.max(0.05, ...peaks);
  const head = h('div', { class: 'playhead' });
  const blocks = segments.map(({ start, end, emotion }) => h('span', { class: 'stretch', style: `flex-grow: ${end - start}; --fill: var(--fill-${emotion})` }, h('b', {}, emotionName(emotion))));
  const bars = peaks.map((peak, i) => `M${i + 0.5} ${50 - (48 * peak) / loudest}V${50 + (48 * peak) / loudest}`).join('');
  const wave = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  wave.setAttribute('viewBox', `0 0 ${peaks.length} 100`);
  wave.setAttribute('preserveAspectRatio', 'none');
  wave.setAttribute('aria-hidden', 'true');
  wave.innerHTML = `<path d="${bars}" stroke="currentColor" stroke-width="0.6"/>`;
  const element = h('div', { class: 'stretches', role: 'img', 'aria-label': segments.map(({ emotion }) => emotionName(emotion)).join(', ') }, blocks, wave, head);
  element.addEventListener('pointerdown', (event) => {
    const { left, width } = element.getBoundingClientRect();
    seek(((event.clientX - left) / width) * duration);
  });
  const show = (time) => {
    head.style.left = `${(100 * time) / duration}%`;
    blocks.forEach((block, i) => block.classList.toggle('now', time >= segments[i].start && time < segments[i].end));
  };
  return { element, show };
}
