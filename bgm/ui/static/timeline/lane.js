// The music: the chosen take of each segment as a waveform, its level as a line to drag, its takes behind its name.
import { clock, h, reconcile, setText } from '../dom.js';
import { inDecibels } from '../panel.js';
import { chosenSegments, commit, currentRun, segments } from '../store.js';
import { peaksOf, takeName } from '../takes.js';
import { emotionName, t } from '../texts.js';
import { fitted, shortened, wave } from './canvas.js';
import { setEach } from './actions.js';
import { faded, fadeKnobs, placeKnobs } from './fades.js';
import { openTakes } from './takemenu.js';

const HEIGHT = 50;
const NAME = 18; // of it, for the name
const { min: QUIETEST, max: LOUDEST } = window.bgm.controls.segment.gain_db;
const LEAST = 34; // pixels from which on a clip has a name and a level to take hold of
const WAVE = 8; // pixels from which on its waveform tells something
const STEP = 0.5;
const AT_ONCE = 4; // clips that are made in one frame

const ROOM = 0.6; // how much of its height a take has at 0 dB
const even = new WeakMap();

// Peaks of which the loudest has the same height for every take.
function evened(peaks) {
  if (!even.has(peaks)) {
    const loudest = Math.max(0.05, ...peaks);
    even.set(peaks, peaks.map((peak) => (peak / loudest) * ROOM));
  }
  return even.get(peaks);
}

export class Lane {
  // `redraw` draws it soon, once for all that asked.
  constructor(canvas, clips, scale, redraw) {
    Object.assign(this, { canvas, clips, scale, redraw });
    clips.addEventListener('pointerdown', (event) => this.hold(event));
    clips.addEventListener('dblclick', (event) => event.target.closest('.gain') && setGain(event.target.closest('.clip').dataset.key, 0));
  }

  get seen() {
    const [from, to] = this.scale.range;
    return segments().filter(({ start, end }) => end > from && start < to);
  }

  paint() {
    const { context, style } = fitted(this.canvas, this.scale.width, HEIGHT);
    context.font = `11px ${style.family}`;
    context.textBaseline = 'middle';
    for (const segment of this.seen) this.drawClip(context, style, segment.id === this.held?.id ? this.held : segment);
  }

  // Whether all have their clip: a zoom may ask for dozens at once.
  place() {
    const { scale } = this;
    const wide = this.seen.filter(({ start, end, chosen, silent }) => chosen && !silent && scale.x(end - start) > LEAST);
    const known = new Set([...this.clips.children].map(({ dataset }) => dataset.key));
    let left = AT_ONCE;
    const shown = wide.filter(({ id }) => known.has(id) || (left -= 1) >= 0);
    reconcile(this.clips, shown, ({ id }) => id, () => this.makeClip(), (element, segment) => this.updateClip(element, segment));
    return shown.length === wide.length;
  }

  drawClip(context, style, segment) {
    const { scale } = this;
    const left = Math.max(0, scale.seenX(segment.start)) + 1;
    const right = Math.min(scale.width, scale.seenX(segment.end)) - 1;
    if (right <= left) return;
    const take = segment.takes.find(({ id }) => id === segment.chosen);
    context.globalAlpha = segment.silent || !take ? 0.14 : 0.34;
    context.fillStyle = style.colour(`fill-${segment.emotion}`);
    context.fillRect(left, 1, right - left, HEIGHT - 2);
    context.globalAlpha = 1;
    context.fillStyle = style.ink;
    if (segment.silent || !take) {
      if (right - left > LEAST) context.fillText(shortened(context, t(segment.silent ? 'silent' : segment.composing ? 'composing' : 'no_music'), right - left - 10), left + 6, HEIGHT / 2);
      return;
    }
    if (right - left < WAVE) return;
    const peaks = evened(peaksOf(take, () => this.redraw()));
    const length = segment.end - segment.start;
    const [from] = scale.range;
    const gain = 10 ** (segment.gain_db / 20);
    context.globalAlpha = 0.55;
    wave(context, peaks, [left, right], NAME + (HEIGHT - NAME) / 2, (HEIGHT - NAME) / 2 - 2,
      (x) => (from + scale.seconds(x) - segment.start) / length, (x) => gain * faded(segment, from + scale.seconds(x)));
    context.globalAlpha = 1;
  }

  updateClip(element, segment) {
    const { scale } = this;
    const [from, to] = scale.range;
    const start = Math.max(segment.start, from); // the name stays in sight while its clip is
    element.style.left = `${scale.x(start)}px`;
    element.style.width = `${scale.x(Math.min(segment.end, to) - start)}px`;
    placeKnobs(element.fades, segment.id === this.held?.id ? this.held : segment, scale, [start, Math.min(segment.end, to)]);
    if (element.segment === segment) return;
    element.segment = segment;
    const take = segment.takes.find(({ id }) => id === segment.chosen);
    const name = takeName(segment, take);
    const state = segment.composing ? ` · ${t('composing')}` : segment.stale ? ` · ${t('old')}` : '';
    setText(element.name, `${name}${state}`);
    element.name.title = element.name.textContent;
    element.name.setAttribute('aria-label', `${element.name.textContent}, ${clock(segment.start)}`);
    element.classList.toggle('old', segment.stale);
    showGain(element, segment.gain_db);
    element.gain.setAttribute('aria-label', t('lane_gain', { emotion: emotionName(segment.emotion), time: clock(segment.start) }));
  }

  makeClip() {
    const name = h('button', { type: 'button', class: 'name', 'aria-haspopup': 'menu' });
    const gain = h('div', { class: 'gain', role: 'slider', tabindex: '0', 'aria-orientation': 'vertical', 'aria-valuemin': QUIETEST, 'aria-valuemax': LOUDEST });
    const element = Object.assign(h('div', { class: 'clip' }, name, gain), { name, gain });
    element.fades = fadeKnobs(element, this.scale, (held) => {
      this.held = held; // shown while it is dragged
      this.paint();
      this.place();
    });
    element.append(...element.fades);
    name.addEventListener('click', (event) => {
      event.stopPropagation(); // the moment under it is not meant
      openTakes(name, element.segment.id);
    });
    gain.addEventListener('keydown', (event) => onGainKey(event, element.segment));
    return element;
  }

  // The level follows the pointer, up is louder; Python hears of it once, at the end.
  hold(event) {
    const gain = event.target.closest('.gain');
    if (!gain || event.button) return;
    event.preventDefault();
    gain.focus({ preventScroll: true });
    gain.setPointerCapture(event.pointerId);
    const clip = gain.closest('.clip');
    const { gain_db: before, id } = clip.segment;
    let wanted = before;
    const move = ({ clientY }) => {
      wanted = clamped(before + ((event.clientY - clientY) / (HEIGHT - NAME)) * (LOUDEST - QUIETEST));
      showGain(clip, wanted);
    };
    const end = ({ type }) => {
      gain.removeEventListener('pointermove', move);
      if (type === 'pointerup' && wanted !== before) setGain(id, wanted);
      else showGain(clip, before);
    };
    gain.addEventListener('pointermove', move);
    for (const name of ['pointerup', 'pointercancel']) gain.addEventListener(name, end, { once: true });
  }
}

const clamped = (value) => Math.min(LOUDEST, Math.max(QUIETEST, Math.round(value / STEP) * STEP));

// The level of one of the picked segments is the level of all of them.
function setGain(id, value, run = null) {
  if (chosenSegments().length > 1 && chosenSegments().some((s) => s.id === id)) return setEach('gain_db', value, run);
  const segment = segments().find((s) => s.id === id);
  if (segment && segment.gain_db !== value) commit({ op: 'set', id, field: 'gain_db', value, run });
  return undefined;
}

function onGainKey(event, segment) {
  const by = { ArrowUp: STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowLeft: -STEP, PageUp: 6, PageDown: -6 }[event.key];
  const value = { Home: QUIETEST, End: LOUDEST, Delete: 0 }[event.key] ?? (by && clamped(segment.gain_db + by));
  if (value === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  setGain(segment.id, value, currentRun());
}

function showGain(clip, value) {
  const text = inDecibels(value);
  clip.gain.style.top = `${NAME + ((LOUDEST - value) / (LOUDEST - QUIETEST)) * (HEIGHT - NAME)}px`;
  clip.gain.dataset.value = text;
  clip.gain.title = text;
  clip.gain.setAttribute('aria-valuenow', value);
  clip.gain.setAttribute('aria-valuetext', text);
}
