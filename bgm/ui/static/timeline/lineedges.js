// When a line is spoken, by hand: an edge at each end of it in the lane of the words. The line under the playhead has its
// edges in sight, and by keyboard; any other shows them under the pointer.
import { LINE_SECONDS, clampLine, isStill, wasOf } from '../edits.js';
import { clock, h, reconcile, set } from '../dom.js';
import { now } from '../playback.js';
import { commit, currentRun, say, store } from '../store.js';
import { t } from '../texts.js';
import { snap } from './snap.js';

const STEP = 0.1;
const COARSE = 1;
const FINE = 0.01;
const LEAST = 12; // pixels from which on a line has two ends to take hold of
const ROUND = 1000;

// `show(line)` draws the words with one line at other times, and with null as they are.
export function lineEdges({ canvas, group }, scale, { label, line, show }) {
  const state = { under: null, current: null, drag: null }; // the lines under pointer and playhead, and what is dragged
  const lines = () => store.view.utterances ?? [];
  const timesOf = (index) => (state.drag?.index === index ? state.drag.times : [lines()[index].start, lines()[index].end]);

  function draw() {
    const isHeld = state.drag || group.contains(document.activeElement); // it keeps its edges while they are moved
    if (!isHeld) state.current = lineAt(lines(), now());
    const [from, to] = scale.range;
    const meant = [...new Set([state.drag?.index, state.current, state.under])].filter((index) => lines()[index]);
    const wide = meant.filter((index) => scale.x(lines()[index].end - lines()[index].start) > LEAST || index === state.drag?.index);
    const ends = wide.flatMap((index) => [0, 1].map((side) => ({ index, side, time: timesOf(index)[side] })));
    reconcile(group, ends.filter(({ time }) => time >= from && time <= to), ({ index, side }) => `${index} ${side}`, makeEdge, place);
  }

  function place(element, { index, side, time }) {
    const { start, end } = lines()[index];
    Object.assign(element, { index, side });
    element.style.left = `${scale.seenX(time)}px`;
    element.tabIndex = index === state.current ? 0 : -1;
    const name = `${t('line_n', { n: index + 1 })}: ${t(side ? 'line_end' : 'line_start')}`;
    const [low] = clampLine(store.view, index, 0, end);
    const [, high] = clampLine(store.view, index, start, store.view.duration);
    const told = { 'aria-label': name, title: name, 'aria-valuemin': low.toFixed(2), 'aria-valuemax': high.toFixed(2), 'aria-valuenow': time.toFixed(2), 'aria-valuetext': clock(time, 2) };
    for (const [key, value] of Object.entries(told)) set(element, key, value);
  }

  // The line with one of its ends elsewhere, as far as its neighbours leave room.
  function moved(index, side, time) {
    const { start, end } = lines()[index];
    const at = Math.round(time * ROUND) / ROUND;
    return side ? clampLine(store.view, index, start, at) : clampLine(store.view, index, Math.min(at, end - LINE_SECONDS), end);
  }

  function save(index, [start, end], run = null, before = lines()[index]) {
    if (!isStill(lines(), index, before)) say(t('line_changed'), true);
    else if (start !== before.start || end !== before.end) commit({ op: 'line_times', index, was: [wasOf(before)], start, end, run });
  }

  group.addEventListener('pointerdown', (event) => {
    const element = event.target.closest('.line-edge');
    if (!element || event.button) return;
    event.preventDefault();
    event.stopPropagation(); // no stretch is marked
    element.focus({ preventScroll: true });
    group.setPointerCapture(event.pointerId);
    const { index, side } = element;
    state.drag = { index, side, line: lines()[index], times: timesOf(index), offset: scale.timeAt(event.clientX) - timesOf(index)[side], playhead: now() };
  });

  group.addEventListener('pointermove', (event) => {
    const { drag } = state;
    if (!drag) return;
    const wanted = scale.timeAt(event.clientX) - drag.offset;
    const found = event.altKey ? { time: wanted, kind: null } : snap(wanted, scale, drag.playhead, lines().filter((_, index) => index !== drag.index));
    drag.times = moved(drag.index, drag.side, found.time);
    const time = drag.times[drag.side];
    line.show(Math.abs(time - found.time) < 1 / ROUND ? found : { kind: null });
    label.show(time, clock(time, 2));
    show({ index: drag.index, start: drag.times[0], end: drag.times[1] });
  });

  function finish(keep) {
    const { drag } = state;
    if (!drag) return;
    state.drag = null;
    label.hide();
    line.hide();
    if (keep) save(drag.index, drag.times, null, drag.line);
    show(null);
  }

  group.addEventListener('pointerup', () => finish(true));
  group.addEventListener('pointercancel', () => finish(false));
  group.addEventListener('keydown', (event) => {
    const { index, side } = event.target;
    if (event.key === 'Escape') return finish(false);
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey) return undefined;
    event.preventDefault();
    event.stopPropagation();
    const seconds = by * (event.shiftKey ? COARSE : event.altKey ? FINE : STEP);
    return save(index, moved(index, side, timesOf(index)[side] + seconds), currentRun());
  });

  // Which line the pointer is over; an edge belongs to its line.
  const over = (index) => {
    if (state.under === index || state.drag) return;
    state.under = index;
    draw();
  };
  canvas.addEventListener('pointermove', ({ clientX, offsetY, pointerType }) => {
    if (pointerType === 'touch') return;
    const time = scale.timeAt(clientX);
    over(offsetY < group.offsetHeight ? lineAt(lines(), time) : null);
  });
  canvas.addEventListener('pointerleave', ({ relatedTarget }) => group.contains(relatedTarget) || over(null));
  group.addEventListener('pointerleave', ({ relatedTarget }) => relatedTarget === canvas || over(null));

  return { draw, at: (time) => lineAt(lines(), time) === state.current || draw() };
}

function lineAt(lines, time) {
  const index = lines.findIndex(({ start, end }) => time >= start && time < end);
  return index < 0 ? null : index;
}

function makeEdge({ side }) {
  return h('div', { class: `line-edge ${side ? 'end' : 'start'}`, role: 'slider', 'aria-orientation': 'horizontal' });
}
