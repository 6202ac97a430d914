// The timeline: curves, words, voice and segments over one time axis, in step with the video.
import { clock, h, isTyping } from '../dom.js';
import { now, onTime, seek } from '../playback.js';
import { follow, segments, store, subscribe } from '../store.js';
import { t } from '../texts.js';
import { showTab } from '../tabs.js';
import { onKey, split } from './actions.js';
import { Curves } from './curves.js';
import { draggable } from './drag.js';
import { pinchable } from './pinch.js';
import { Scale } from './scale.js';
import { Strip } from './strip.js';
import { toolbar } from './toolbar.js';
import { Voice } from './voice.js';

export function timeline() {
  const parts = build();
  const { scroller, inner, strip: stripElement } = parts;
  const scale = new Scale(scroller, inner);
  const strip = new Strip(stripElement, scale);
  const curves = new Curves(parts.plot, scale);
  const voice = new Voice(parts.canvas, scale);
  const label = dragLabel(parts.label, scale);
  const redraw = framed(() => {
    curves.follow();
    voice.draw();
    movePlayhead(parts.head, scale, now());
  });
  const zoom = (factor, clientX = middle(scroller)) => {
    if (factor) scale.zoomAt(scale.zoom * factor, clientX);
    else scale.fit();
    redraw();
  };

  parts.root.prepend(toolbar(zoom, (emotion) => curves.highlight(emotion)));
  draggable(strip, scale, label);
  pinchable(scroller, zoom);
  listen(parts, scale, zoom, redraw);
  keepInStep(parts, scale, strip, curves, voice, redraw);
  return parts.root;
}

function build() {
  const plot = h('div', { class: 'plot', role: 'img', 'aria-label': t('curves_label') });
  const canvas = h('canvas', { class: 'voice', role: 'img', 'aria-label': t('voice_label') });
  const strip = h('div', { class: 'strip' });
  const label = h('output', { class: 'drag-label', hidden: true });
  const head = h('div', { class: 'playhead' });
  const nothing = h('p', { class: 'nothing', hidden: true }, t('no_curves'));
  const inner = h('div', { class: 'inner' }, h('div', { class: 'window' }, plot, nothing, canvas), strip, head, label);
  const scroller = h('div', { class: 'scroller' }, inner);
  const message = h('p', { class: 'message', role: 'status' });
  const root = h('section', { class: 'timeline', 'aria-label': t('timeline') }, scroller,
    h('div', { class: 'hints' }, message, h('p', { class: 'keys' }, t('keys_hint'))));
  return { root, scroller, inner, plot, nothing, canvas, strip, head, label, message };
}

function keepInStep(parts, scale, strip, curves, voice, redraw) {
  let shown = null;
  let drawn = null;
  subscribe(['view'], () => {
    const { view } = store;
    if (!view.id) return;
    scale.duration = view.duration;
    if (shown !== view.id) scale.fit();
    shown = view.id;
    strip.draw(segments(), store.selected);
    parts.nothing.hidden = !view.analyzed || view.utterances.some((u) => u.scores);
    if (drawn !== view.utterances) {
      drawn = view.utterances;
      voice.utterances = view.utterances;
      curves.draw(view.utterances);
      voice.draw();
    }
    voice.load(view.media.peaks);
    redraw();
  });
  subscribe(['selected'], () => strip.select(store.selected));
  subscribe(['message'], () => tell(parts.message));
  new ResizeObserver(() => {
    if (!parts.scroller.clientWidth) return;
    scale.measure();
    redraw();
    if (!curves.drawn && drawn) curves.draw(drawn);
  }).observe(parts.scroller);
  new MutationObserver(() => {
    if (drawn) curves.draw(drawn);
    voice.draw();
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
    const reachable = root.isConnected && root.offsetParent && !root.inert && !isTyping(event) && !event.defaultPrevented;
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

// A click shows the moment under it, and so selects its segment; a key press on a block comes without a place.
function onClick(event, scale) {
  const block = event.target.closest('.seg');
  if (event.target.closest('.handle')) return;
  if (block) showTab('segment');
  if (event.detail) seek(scale.timeAt(event.clientX));
  else if (block) seek(segments().find((s) => s.id === block.dataset.key).start);
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

function middle(element) {
  const { left, width } = element.getBoundingClientRect();
  return left + width / 2;
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
