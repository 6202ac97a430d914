// How a segment's music comes and goes: a knob at each upper end of its clip, dragged inwards. None joins the neighbour.
import { clock, h } from '../dom.js';
import { commit, currentRun, segments } from '../store.js';
import { emotionName, t } from '../texts.js';

const { min, max } = window.bgm.controls.segment.fade_in;
const STEP = 0.1;
const COARSE = 1;
const SIDES = ['fade_in', 'fade_out'];

// The part of the level that is heard at a share of a fade: as bgm/mix/placement.py has it.
export const risen = (share) => Math.sin((Math.PI / 2) * Math.min(1, Math.max(0, share))) ** 2;

// The level (0 to 1) of a segment's music at a time.
export function faded({ start, end, fade_in: rise, fade_out: fall }, time) {
  return (rise ? risen((time - start) / rise) : 1) * (fall ? risen((end - time) / fall) : 1);
}

export function fadeKnobs(clip, scale, redraw) {
  const knobs = SIDES.map((field) => h('div', { class: `fade ${field}`, role: 'slider', tabindex: '0', 'aria-valuemin': min, 'aria-orientation': 'horizontal' }));
  knobs.forEach((knob, i) => {
    knob.addEventListener('pointerdown', (event) => hold(event, knob, { clip, field: SIDES[i], scale, redraw }));
    knob.addEventListener('keydown', (event) => onKey(event, clip.segment, SIDES[i]));
    knob.addEventListener('dblclick', () => setFade(clip.segment.id, SIDES[i], 0));
  });
  return knobs;
}

// `from` and `to` are what is seen of the clip: a knob beyond has no place.
export function placeKnobs(knobs, segment, scale, [from, to]) {
  knobs.forEach((knob, i) => {
    const seconds = segment[SIDES[i]];
    const time = i === 0 ? segment.start + seconds : segment.end - seconds;
    knob.hidden = time < from || time > to || (i === 0 ? from > segment.start : to < segment.end);
    knob.style.left = `${scale.x(time - from)}px`;
    if (knob.tells === segment) return; // its words are the same at each zoom
    knob.tells = segment;
    knob.setAttribute('aria-valuemax', longest(segment).toFixed(1));
    knob.setAttribute('aria-valuenow', seconds);
    knob.setAttribute('aria-valuetext', t('seconds', { n: seconds.toFixed(1) }));
    knob.setAttribute('aria-label', t(SIDES[i], { emotion: emotionName(segment.emotion), time: clock(segment.start) }));
    knob.title = `${t(`${SIDES[i]}_hint`)}: ${t('seconds', { n: seconds.toFixed(1) })}`;
  });
}

const longest = ({ start, end }) => Math.min(max, end - start);
const clamped = (segment, seconds) => Math.min(longest(segment), Math.max(min, Math.round(seconds / STEP) * STEP));

function setFade(id, field, wanted, run = null) {
  const segment = segments().find((s) => s.id === id);
  const value = segment && Number(clamped(segment, wanted).toFixed(3));
  if (segment && segment[field] !== value) commit({ op: 'set', id, field, value, run });
}

// Python hears of it once, at the end.
function hold(event, knob, { clip, field, scale, redraw }) {
  if (event.button) return;
  event.preventDefault();
  event.stopPropagation();
  knob.focus({ preventScroll: true });
  knob.setPointerCapture(event.pointerId);
  const { segment } = clip;
  const inwards = field === 'fade_in' ? 1 : -1;
  let wanted = segment[field];
  const move = ({ clientX }) => {
    wanted = clamped(segment, segment[field] + inwards * scale.seconds(clientX - event.clientX));
    redraw({ ...segment, [field]: wanted });
  };
  const end = ({ type }) => {
    knob.removeEventListener('pointermove', move);
    redraw(null);
    if (type === 'pointerup') setFade(segment.id, field, wanted);
  };
  knob.addEventListener('pointermove', move);
  for (const name of ['pointerup', 'pointercancel']) knob.addEventListener(name, end, { once: true });
}

function onKey(event, segment, field) {
  const inwards = field === 'fade_in' ? 1 : -1;
  const by = { ArrowRight: inwards, ArrowLeft: -inwards, ArrowUp: 1, ArrowDown: -1 }[event.key];
  const wanted = { Home: 0, Delete: 0, End: max }[event.key] ?? (by && segment[field] + by * (event.shiftKey ? COARSE : STEP));
  if (wanted === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  setFade(segment.id, field, wanted, currentRun());
}
