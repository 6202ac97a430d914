// The line in which one types, else the one under the playhead: its times, cut, join. One place for all lines, so that
// nothing moves when another is meant.
import { button, clock, h, setText } from '../dom.js';
import { LINE_SECONDS, clampLine, isStill, wasOf } from '../edits.js';
import { commit, currentRun, say, store, subscribe } from '../store.js';
import { t } from '../texts.js';
import { caret, mergeLines, splitAt, textOf } from './line.js';

const STEP = 0.1;
const COARSE = 1;
const FINE = 0.01;

export function lineBar(list) {
  let index = null; // of the line that is meant
  let offset = null; // of the caret in it, before a button took the focus
  const hint = h('p', { class: 'note' }, t('transcript_hint'));
  const name = h('span', { class: 'name' });
  const line = () => (index === null ? null : store.view.utterances?.[index] ?? null);
  const times = ['start', 'end'].map((edge) => timeField(edge, line, () => index));
  const split = button('split', t('line_split'), () => splitHere(), { key: 'Enter' });
  const before = button('left', t('line_merge_before'), () => mergeBefore(), { key: t('key_backspace') });
  const after = button('right', t('line_merge_after'), () => mergeLines(index), { key: t('key_delete') });
  const tools = h('div', { class: 'row' }, name, times[0], h('span', {}, '–'), times[1], split, before, after);
  const splitHere = () => {
    const element = textOf(index);
    const isCut = element && splitAt(element, index, offset ?? nearMiddle(element.textContent));
    if (!isCut) say(t('cannot_split_line'), true);
  };

  const mergeBefore = () => {
    index -= 1;
    mergeLines(index);
  };
  const show = () => {
    const found = line();
    hint.hidden = Boolean(found);
    tools.hidden = !found;
    if (!found) return;
    setText(name, t('line_n', { n: index + 1 }));
    times.forEach((field) => field.show());
    split.disabled = !/\S\s+\S/.test(found.text) || found.end - found.start < 2 * LINE_SECONDS;
    before.disabled = index === 0;
    after.disabled = index + 1 >= store.view.utterances.length;
  };
  const mean = (element) => {
    if (!element) return;
    index = Number(element.dataset.key);
    show();
  };
  list.addEventListener('focusin', (event) => mean(event.target.closest('.line')));
  list.addEventListener('current', () => document.activeElement?.closest('.transcript .lines, .line-bar') || mean(list.current));
  list.addEventListener('focusout', (event) => {
    offset = event.target.matches('.text') ? caret(event.target) : null;
  });
  subscribe(['view'], show);
  return h('div', { class: 'line-bar', role: 'group', 'aria-label': t('line_tools') }, hint, tools);
}

// Without a caret a line is cut at the space that is nearest to its middle.
function nearMiddle(text) {
  const spaces = [...text.matchAll(/\s+/g)].map((match) => match.index);
  return spaces.sort((a, b) => Math.abs(a - text.length / 2) - Math.abs(b - text.length / 2))[0] ?? null;
}

function timeField(edge, line, index) {
  const label = t(`line_${edge}`);
  const field = h('input', { type: 'text', inputmode: 'decimal', class: 'time-field', 'aria-label': label, title: t('time_hint', { what: label }), autocomplete: 'off' });
  const change = (time, run = null) => {
    const { start, end } = line();
    const [low, high] = limits(store.view, index(), edge);
    const at = Math.min(Math.max(time, low), high);
    const [from, to] = edge === 'start' ? [at, end] : [start, at];
    if (from !== start || to !== end) commit({ op: 'line_times', index: index(), was: [wasOf(line())], start: from, end: to, run });
    field.show();
  };
  // What is being typed stays, however many views come meanwhile: only what was shown here is replaced.
  field.show = () => {
    if (document.activeElement === field && field.value !== field.shown) return;
    field.value = clock(line()[edge], 2);
    field.shown = field.value;
  };
  field.addEventListener('input', () => {
    field.was ??= line();
  });
  field.addEventListener('change', () => {
    const was = field.was ?? line();
    field.was = null;
    const time = seconds(field.value);
    field.shown = field.value;
    const [low, high] = limits(store.view, index(), edge);
    if (time === null) say(t('bad_time'), true);
    else if (!isStill(store.view.utterances, index(), was)) say(t('line_changed'), true);
    else if (time < low - FINE / 2 || time > high + FINE / 2) say(t(`${edge}_between`, { from: clock(low, 2), to: clock(high, 2) }), true);
    else if (Math.abs(time - line()[edge]) > FINE / 2) return change(time);
    return field.show();
  });
  field.addEventListener('keydown', (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    field.shown = field.value;
    field.was = null;
    change(Math.round((line()[edge] + by * (event.shiftKey ? COARSE : event.altKey ? FINE : STEP)) * 1000) / 1000, currentRun());
  });
  return field;
}

// Between which times an edge of a line may lie: up to the line beside it, and to its own other edge.
export function limits(view, index, edge) {
  const { start, end } = view.utterances[index];
  if (edge === 'start') return [clampLine(view, index, 0, end)[0], end - LINE_SECONDS];
  return [start + LINE_SECONDS, clampLine(view, index, start, Infinity)[1]];
}

// '1:02.5' or '62.5' as seconds; null where it is no time.
export function seconds(text) {
  const match = /^\s*(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)\s*$/.exec(text);
  return match ? Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3].replace(',', '.')) : null;
}
