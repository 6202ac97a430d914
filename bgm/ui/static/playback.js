// The video and what sounds with it: its own sound, or the preview mix in step with the picture.
const watchers = new Set();
let video = null;
let frame = 0;
let stopAt = null;
const JUST_BEFORE = 0.01; // seconds: a segment that was played is still the one under the playhead
export const sound = { source: 'original', audio: null };

export function attach(element) {
  video = element;
  for (const name of ['play', 'pause', 'seeking', 'seeked', 'timeupdate', 'loadedmetadata', 'ratechange', 'volumechange']) {
    element.addEventListener(name, moved);
  }
  element.addEventListener('play', () => soundsAlone(pause));
}

let hush = null;

// One thing sounds at a time: who begins says how it is stopped, and what sounded before stops.
export function soundsAlone(stop) {
  if (hush !== stop) hush?.();
  hush = stop;
}

export const player = () => video;
export const now = () => video?.currentTime ?? 0;
export const isPlaying = () => Boolean(video && !video.paused);

// `watcher(time)` is called on every frame while the video plays and whenever it moved otherwise.
export function onTime(watcher) {
  watchers.add(watcher);
}

function moved() {
  if (stopAt !== null && video.currentTime >= stopAt) {
    video.pause();
    video.currentTime = stopAt - JUST_BEFORE;
    stopAt = null;
  }
  follow(sound.audio);
  for (const watcher of watchers) watcher(video.currentTime);
  if (!video.paused && !frame) frame = requestAnimationFrame(onFrame);
}

function onFrame() {
  frame = 0;
  moved();
}

export function seek(time) {
  if (!video) return;
  stopAt = null;
  video.currentTime = Math.max(0, Math.min(time, video.duration || time));
  moved();
}

export function play(from = null, until = null) {
  if (!video) return;
  if (from !== null) video.currentTime = from;
  stopAt = until;
  video.play().catch(() => {}); // a browser may refuse before the first click on the page; the button stays
}

export function toggle() {
  if (isPlaying()) video.pause();
  else play();
}

export const RATES = [0.5, 1, 1.5, 2, 4];

// J and L: each press is faster; a browser plays only forwards, so that J slows down and then goes back in steps.
export function faster(by) {
  if (!video) return;
  if (!isPlaying()) {
    setRate(1);
    if (by > 0) play();
    else seek(now() - 1);
    return;
  }
  const next = RATES.indexOf(video.playbackRate) + by;
  if (next < 0) pause();
  else setRate(RATES[Math.min(next, RATES.length - 1)]);
}

export function setRate(rate) {
  if (video) video.playbackRate = rate;
}

export function pause() {
  video?.pause();
}

// Hear `url` (the preview mix) with the picture, or the video's own sound when it is null.
export function hear(url) {
  if (sound.audio && sound.audio.dataset.url !== url) {
    sound.audio.pause();
    sound.audio = null;
  }
  if (url && !sound.audio) {
    sound.audio = new Audio(url);
    sound.audio.dataset.url = url;
    sound.audio.preload = 'auto';
  }
  sound.source = url ? 'music' : 'original';
  if (video) video.muted = Boolean(url);
  if (video) moved();
}

const DRIFT = 0.12; // seconds between picture and sound that nobody minds

// Bring `audio` in step with the video.
function follow(audio) {
  if (!audio || !video) return;
  if (Math.abs(audio.currentTime - video.currentTime) > DRIFT) audio.currentTime = video.currentTime;
  audio.volume = video.volume;
  audio.playbackRate = video.playbackRate;
  if (video.paused && !audio.paused) audio.pause();
  if (!video.paused && audio.paused && !audio.ended) audio.play().catch(() => {}); // see play()
}
