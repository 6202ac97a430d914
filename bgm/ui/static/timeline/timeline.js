// The timeline: curves, words, voice and segments over one time axis, in step with the video.
import { clock, h, isTyping, setText } from '../dom.js';
import { wasMeantForText } from '../focus.js';
import { now, onTime, seek } from '../playback.js';
import { follow, mark, pick, pickTo, segments, selection, store, subscribe, togglePick } from '../store.js';
import { emotionName, keyHints, t } from '../texts.js';
import { showTab } from '../tabs.js';
import { onKey, split } from './actions.js';
import { forgetStyles } from './canvas.js';
import { Curves } from './curves.js';
import { draggable } from './drag.js';
import { Film } from './film.js';
import { Lane } from './lane.js';
import { pinchable } from './pinch.js';
import { Scale } from './scale.js';
import { lineEdges } from './lineedges.js';
import { loadEdges, snap, snapLine } from './snap.js';
import { percent, Strip } from './strip.js';
import { toolbar } from './toolbar.js';
import { Voice } from './voice.js';

const SHOWN = 0.01; // a share of an emotion that is worth a word

export function timeline() {
  const parts = build();
  const { scroller, inner, strip: stripElement } = parts;
  const scale = new Scale(scroller, inner);
  const strip = new Strip(stripElement, scale);
  const film = new Film(scale, () => redraw());
  const curves = new Curves(parts.plot, scale, film);
  const voice = new Voice(parts.canvas, scale);
  const lane = new Lane(parts.music, parts.clips, scale, () => redraw());
  const label = dragLabel(parts.label, scale);
  let zooming = null; // turns of the wheel since the last frame, as one
  const draw = () => {
    if (zooming) scale.zoomAt(scale.zoom * zooming.factor, zooming.offset);
    zooming = null;
    // The canvases first: writing on them asks for the page's styles, which are settled until the elements are touched.
    curves.draw();
    voice.draw();
    lane.paint();
    strip.paint();
    const isMore = strip.fit();
    const isEven = lane.place();
    edges.draw();
    movePlayhead(parts.head, scale, now());
    scale.place();
    if (isMore || !isEven) redraw();
  };
  const redraw = framed(draw);
  const zoom = (factor, clientX) => {
    const offset = clientX - scroller.getBoundingClientRect().left;
    zooming = { factor: factor * (zooming?.factor ?? 1), offset };
    redraw();
  };
  const zoomNow = (factor) => {
    if (factor) scale.zoomAt(scale.zoom * factor, playheadX(scale));
    else scale.fit();
    draw();
  };

  parts.root.prepend(toolbar(zoomNow, (emotion) => curves.highlight(emotion)));
  const line = snapLine(scale);
  inner.append(line.element);
  draggable(strip, scale, label, line);
  const edges = lineEdges({ canvas: parts.canvas, group: parts.edges }, scale, { label, line, show: (held) => {
    voice.held = held;
    redraw();
  } });
  onTime(edges.at);
  pinchable(scroller, zoom);
  listen(parts, scale, zoom, redraw);
  readable(parts, scale, curves);
  markable(parts, scale);
  keepInStep(parts, scale, strip, curves, voice, redraw);
  return parts.root;
}

function build() {
  const plot = h('canvas', { class: 'plot', role: 'img', 'aria-label': t('curves_label') });
  const music = h('canvas', { class: 'music', role: 'img', 'aria-label': t('lane_label') });
  const clips = h('div', { class: 'clips', role: 'group', 'aria-label': t('lane_label') });
  const range = h('div', { class: 'range', hidden: true }, h('button', { type: 'button', class: 'unmark', title: t('unmark'), onclick: () => mark(null) }));
  const readout = h('output', { class: 'readout', hidden: true, 'aria-hidden': 'true' });
  const edges = h('div', { class: 'line-edges', role: 'group', 'aria-label': t('line_edges') });
  const canvas = h('canvas', { class: 'voice', role: 'img', 'aria-label': t('voice_label') });
  const strip = h('div', { class: 'strip' });
  const label = h('output', { class: 'drag-label', hidden: true });
  const head = h('div', { class: 'playhead' });
  const nothing = h('p', { class: 'nothing', hidden: true }, t('no_curves'));
  const inner = h('div', { class: 'inner' }, h('div', { class: 'window' }, plot, nothing, h('div', { class: 'said' }, canvas, edges)), strip,
    h('div', { class: 'lane' }, h('div', { class: 'window' }, music), clips), head, range, label, readout);
  const scroller = h('div', { class: 'scroller' }, inner);
  const message = h('p', { class: 'message', role: 'status' });
  const root = h('section', { class: 'timeline', 'aria-label': t('timeline') }, scroller,
    h('div', { class: 'hints' }, message, h('p', { class: 'keys', title: t('keys_hint') }, keyHints().map(([key, what]) => h('span', {}, h('kbd', {}, key), ' ', what)))));
  return { root, scroller, inner, plot, nothing, canvas, edges, strip, music, clips, head, range, label, readout, message };
}

function keepInStep(parts, scale, strip, curves, voice, redraw) {
  let shown = null;
  let drawn = null;
  subscribe(['view'], () => {
    const { view } = store;
    if (!view.id) return;
    scale.duration = view.duration;
    parts.inner.dataset.duration = view.duration;
    if (shown !== view.id) scale.fit(); // the drawing places it
    shown = view.id;
    strip.draw(segments(), selection());
    parts.nothing.hidden = !view.analyzed || view.utterances.some((u) => u.scores);
    if (drawn !== view.utterances) {
      drawn = view.utterances;
      voice.utterances = view.utterances;
      curves.utterances = view.utterances;
    }
    voice.load(view.media.peaks);
    loadEdges(view.media.edges);
    curves.film.open(view.media.film);
    redraw();
  });
  subscribe(['selected', 'picked'], () => strip.select(selection()));
  subscribe(['message'], () => tell(parts.message));
  new ResizeObserver(() => {
    if (!parts.scroller.clientWidth) return;
    scale.measure();
    redraw();
  }).observe(parts.scroller);
  new MutationObserver(() => {
    forgetStyles();
    redraw();
  }).observe(document.body, { attributeFilter: ['class'] });
  let before = 0;
  onTime((time) => {
    follow(time);
    movePlayhead(parts.head, scale, time);
    if (!isHeld(strip) && leftTheWindow(scale, before, time)) scale.reveal(time);
    before = time;
  });
}

// The strip turns its page when the playhead leaves it or jumps; who scrolled away meanwhile is left alone.
function leftTheWindow(scale, before, time) {
  const [from, to] = scale.range;
  return (before >= from && before <= to) || Math.abs(time - before) > 1;
}

const isHeld = (strip) => 'dragging' in strip.handles.dataset;

function listen({ root, scroller: area, inner }, scale, zoom, redraw) {
  area.addEventListener('scroll', redraw, { passive: true });
  area.addEventListener('wheel', (event) => onWheel(event, area, zoom), { passive: false });
  inner.addEventListener('click', (event) => onClick(event, scale));
  inner.addEventListener('dblclick', (event) => event.target.closest('.seg') && split());
  document.addEventListener('keydown', (event) => {
    const reachable = root.isConnected && root.offsetParent && !root.inert && !isTyping(event) && !event.defaultPrevented && !wasMeantForText(event);
    if (reachable && onKey(event)) event.preventDefault();
  });
}

// The wheel scrolls the page; with Ctrl (a pinch on a trackpad) or Alt it zooms at the pointer, with Shift it pans.
function onWheel(event, scroller, zoom) {
  const isZoom = event.ctrlKey || event.altKey || event.metaKey;
  if (!isZoom && !event.shiftKey) return;
  event.preventDefault();
  const lines = event.deltaMode ? 16 : 1; // Firefox counts in lines
  if (isZoom) zoom(Math.exp(-event.deltaY * lines * 0.002), event.clientX);
  else scroller.scrollLeft += (event.deltaY || event.deltaX) * lines;
}

// A click shows the moment under it, and so selects its segment, and leaves a marked stretch; a key press on a block comes without a
// place.
function onClick(event, scale) {
  const block = event.target.closest('.seg');
  if (event.target.closest('.handle, .range, .line-edges, .gain, .fade, .clip .name') || 'marking' in event.currentTarget.dataset) return;
  if (block && (event.shiftKey || event.ctrlKey || event.metaKey)) {
    if (event.shiftKey) pickTo(block.dataset.key);
    else togglePick(block.dataset.key);
    return;
  }
  if (event.detail) pick([]);
  if (block) showTab('segment');
  if (event.detail) seek(scale.timeAt(event.clientX));
  else if (block) seek(segments().find((s) => s.id === block.dataset.key).start);
}

const MOVED = 5; // pixels from which on a press is a drag

// A drag over the curves or the words marks a stretch of the video, snapped as boundaries are.
function markable({ inner, range }, scale) {
  let from = null;
  const isOver = ({ target, button: which, pointerType }) => target.closest('.window') && !target.closest('.lane') && !which && pointerType !== 'touch';
  inner.addEventListener('pointerdown', (event) => {
    if (isOver(event)) from = event;
  });
  inner.addEventListener('pointermove', (event) => {
    if (!from || Math.abs(event.clientX - from.clientX) < MOVED) return;
    inner.setPointerCapture(event.pointerId);
    inner.dataset.marking = '';
    const times = [from.clientX, event.clientX].map((x) => snap(scale.timeAt(x), scale).time);
    mark(times.sort((a, b) => a - b));
  });
  const end = () => {
    from = null;
    setTimeout(() => delete inner.dataset.marking); // after the click that ends it
  };
  for (const name of ['pointerup', 'pointercancel']) inner.addEventListener(name, end);
  subscribe(['range', 'view'], () => {
    range.hidden = !store.range;
    if (!store.range) return;
    range.style.left = scale.percent(store.range[0]);
    range.style.width = scale.percent(store.range[1] - store.range[0]);
    range.classList.toggle('late', store.range[0] > scale.duration / 2);
    setText(range.firstChild, t('range_hint', { n: (store.range[1] - store.range[0]).toFixed(1) }));
  });
}

// What the model reads at the moment under the pointer.
function readable({ plot, readout }, scale, curves) {
  plot.addEventListener('pointermove', ({ clientX }) => {
    const time = scale.timeAt(clientX);
    const read = curves.at(time).filter(([, share]) => share >= SHOWN).slice(0, 3);
    readout.hidden = !read.length;
    readout.textContent = [clock(time), ...read.map(([emotion, share]) => `${emotionName(emotion)} ${percent(share)}`)].join(' · ');
    readout.style.left = `${scale.x(time)}px`;
  });
  plot.addEventListener('pointerleave', () => {
    readout.hidden = true;
  });
}

function dragLabel(element, scale) {
  return {
    show(time, text) {
      element.hidden = false;
      element.textContent = text;
      element.style.left = scale.percent(time);
    },
    hide() {
      element.hidden = true;
    },
  };
}

function movePlayhead(head, scale, time) {
  head.style.transform = `translateX(${scale.x(time)}px)`;
  head.dataset.time = clock(time);
}

function tell(element) {
  const { message } = store;
  element.textContent = message?.text ?? '';
  element.classList.toggle('error', Boolean(message?.isError));
}

// Where the buttons zoom: at the playhead, or in the middle where that is out of sight.
function playheadX(scale) {
  const x = scale.seenX(now());
  return x >= 0 && x <= scale.width ? x : scale.width / 2;
}

// `work` at most once per frame.
function framed(work) {
  let frame = 0;
  return () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      work();
    });
  };
}
