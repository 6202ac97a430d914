// The takes of a segment as small players: a waveform to click on, choose, download. They play on while others change.
import { button, clock, fetched, h, icon, reconcile, setText } from './dom.js';
import { isPlaying, soundsAlone } from './playback.js';
import { commit, store, subscribe, selectedSegment } from './store.js';
import { emotionName, t } from './texts.js';

const sounds = new Map(); // by address: a take that plays isn't stopped by a redraw
const pictures = new Map();

export function takesList() {
  const list = h('ol', { class: 'takes', 'aria-label': t('takes') });
  subscribe(['view', 'selected'], () => {
    const segment = selectedSegment();
    reconcile(list, segment?.takes ?? [], (take) => take.id, makeTake, (element, take) => update(element, take, segment));
  });
  subscribe(['view', 'job'], playNew);
  return list;
}

// 'joy, take 2': an own sound has a name, and no number.
export function takeName(segment, take) {
  if (!take.number) return t('own_take');
  return `${emotionName(segment.emotion)}, ${t('take_n', { n: take.number }).toLocaleLowerCase()}`;
}

let awaited = null;

// The next take of this segment is played when it is there, unless something plays already or one has gone elsewhere.
export function anotherTake(segment) {
  awaited = { project: store.view.id, id: segment.id, known: new Set(segment.takes.map((take) => take.id)) };
  store.run('compose', { segments: [segment.id], another: true });
}

// It is waited for through the steps that make way for it; one that was stopped or failed brings none.
function playNew() {
  if (awaited?.project !== store.view.id) awaited = null;
  if (!awaited) return;
  const segment = (store.view.segments ?? []).find(({ id }) => id === awaited.id);
  const take = segment?.takes.find(({ id }) => id === segment.chosen && !awaited.known.has(id));
  if (!take && segment && !['stopped', 'failed'].includes(store.job.state)) return;
  const isFree = !isPlaying() && ![...sounds.values()].some((audio) => !audio.paused);
  if (take && segment === selectedSegment() && isFree) togglePlay(take.url);
  awaited = null;
}

function makeTake(take) {
  const playing = button('play', t('play_take'), () => togglePlay(take.url));
  const picture = h('canvas', { width: '240', height: '36', class: 'picture', role: 'img', 'aria-label': t('take_picture') });
  picture.addEventListener('click', (event) => jump(take.url, event.offsetX / picture.clientWidth));
  const choose = h('button', { type: 'button', class: 'choose', role: 'radio' }, icon('check'), h('span', {}));
  const save = h('a', { class: 'btn', download: true, title: t('download'), 'aria-label': t('download') }, icon('download'));
  const item = h('li', { class: 'take' }, playing, h('div', { class: 'sound' }, h('span', { class: 'what' }), picture), choose, save);
  Object.assign(item, { playing, picture, choose, save });
  return item;
}

function update(item, take, segment) {
  const chosen = take.id === segment.chosen;
  item.classList.toggle('chosen', chosen);
  item.classList.toggle('old', chosen && segment.stale);
  const name = take.number ? t('take_n', { n: take.number }) : t('own_take');
  setText(item.querySelector('.what'), chosen && segment.stale ? `${name} · ${t('stale')}` : name);
  setText(item.choose.querySelector('span'), t(chosen ? 'chosen' : 'choose'));
  item.choose.setAttribute('aria-checked', String(chosen));
  item.choose.onclick = () => chosen || commit({ op: 'choose', id: segment.id, take: take.id });
  item.save.href = `${take.url}${take.url?.includes('?') ? '&' : '?'}download`;
  draw(item.picture, take);
  showState(item, take.url);
}

function soundOf(address) {
  if (!sounds.has(address)) {
    const audio = new Audio(address);
    audio.preload = 'none';
    for (const name of ['play', 'pause', 'ended', 'timeupdate']) audio.addEventListener(name, () => onSound(address));
    sounds.set(address, audio);
  }
  return sounds.get(address);
}

export function togglePlay(address) {
  const audio = soundOf(address);
  if (!audio.paused) {
    audio.pause();
    return;
  }
  soundsAlone(stopTakes);
  for (const other of sounds.values()) other.pause();
  audio.play().catch(() => {}); // the button shows that it did not start
}

function jump(address, share) {
  const audio = soundOf(address);
  const go = () => {
    audio.currentTime = share * audio.duration;
  };
  if (audio.readyState) go();
  else audio.addEventListener('loadedmetadata', go, { once: true });
  if (audio.paused) togglePlay(address);
}

function onSound(address) {
  for (const item of document.querySelectorAll('.take')) if (item.address === address) showState(item, address);
}

function showState(item, address) {
  item.address = address;
  const audio = sounds.get(address);
  const isOn = Boolean(audio && !audio.paused);
  const share = audio?.duration ? audio.currentTime / audio.duration : 0;
  item.picture.style.setProperty('--played', `${share * 100}%`);
  item.picture.title = audio?.duration ? `${clock(audio.currentTime)} / ${clock(audio.duration)}` : '';
  if (item.playing.dataset.on === String(isOn)) return;
  item.playing.dataset.on = String(isOn);
  item.playing.replaceChildren(icon(isOn ? 'pause' : 'play'));
}

const known = new Map(); // by address: peaks that have come

function loading(address) {
  if (!pictures.has(address)) {
    pictures.set(address, fetched(address).then((peaks) => known.set(address, peaks ?? []).get(address)));
  }
  return pictures.get(address);
}

// The waveform of a take where it has come already; `then` is called when it comes later.
export function peaksOf(take, then) {
  if (!known.has(take.peaks) && !pictures.has(take.peaks)) loading(take.peaks).then(then);
  return known.get(take.peaks) ?? [];
}

async function draw(canvas, take) {
  if (canvas.take === take.id) return;
  canvas.take = take.id;
  const peaks = await loading(take.peaks);
  const context = canvas.getContext('2d');
  const { width, height } = canvas;
  const loudest = Math.max(0.05, ...peaks);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  peaks.forEach((peak, i) => {
    const half = Math.max(0.5, (peak / loudest) * (height / 2 - 1));
    context.fillRect((i / peaks.length) * width, height / 2 - half, 0.8 * (width / peaks.length), 2 * half);
  });
}

function stopTakes() {
  for (const audio of sounds.values()) audio.pause();
}
