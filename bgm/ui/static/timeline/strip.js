// The segments as coloured blocks, the handles between them, and a mark for every feeling that was too short to be a
// segment. Elements are kept by id, so focus survives redraws.
import { clock, h, icon, reconcile, setText } from '../dom.js';
import { makeSegment } from './actions.js';
import { fitted } from './canvas.js';
import { isSpoken, store } from '../store.js';
import { emotionName, t } from '../texts.js';

const ROOMS = [24, 108]; // pixels from which on a block shows its name, its times
const [BESIDE, LETTER, WIDE_LETTER] = [122, 6.5, 11]; // pixels: the times and what is around them, a letter of how sure it is
const AT_ONCE = 8; // blocks that begin to say more or less in one frame
const GRIP = 12; // pixels: between two blocks that are both narrower, a handle would only cover them
const STEPS = 2; // so many blocks beside the selected one are there for the keys, wherever one looks

export class Strip {
  constructor(element, scale) {
    this.element = element;
    this.scale = scale;
    this.narrow = h('canvas', { 'aria-hidden': 'true' });
    this.blocks = h('div', { class: 'segs', role: 'listbox', 'aria-multiselectable': 'true', 'aria-label': t('segments') });
    this.handles = h('div', { class: 'handles', role: 'group', 'aria-label': t('boundaries') });
    this.marks = h('div', { class: 'ignored', role: 'group', 'aria-label': t('ignored') });
    element.append(h('div', { class: 'window' }, this.narrow), this.blocks, this.marks, this.handles);
  }

  draw(segments, selected) {
    this.segments = segments;
    reconcile(this.blocks, segments, (s) => s.id, makeBlock, (element, s) => this.updateBlock(element, s, selected));
    reconcile(this.marks, segments.flatMap((s) => s.ignored ?? []), (m) => `${m.start}`, makeMark, (element, m) => this.updateMark(element, m));
    reconcile(this.handles, segments.slice(1), (s) => s.id, makeHandle, (element, s, i) => this.updateHandle(element, i + 1));
  }

  // The blocks that are too narrow for a word. A style sheet would take twice the time of a frame to paint hundreds of them; it
  // does so for those that are picked.
  paint() {
    const { scale, narrow } = this;
    const height = this.element.clientHeight;
    const { context, style } = fitted(narrow, scale.width, height);
    const [from, to] = scale.range;
    for (const segment of this.segments ?? []) {
      const width = scale.x(segment.end - segment.start);
      if (width < ROOMS[0] && segment.end > from && segment.start < to) paintNarrow(context, style, segment, [scale.seenX(segment.start), width, height]);
    }
  }

  // After another zoom or scroll: what is far out of sight is not laid out, and a block says what it has room for. Whether some
  // are left for the next frame.
  fit() {
    const [from, to] = this.scale.range;
    const margin = (to - from) / 8;
    const least = this.scale.seconds(GRIP);
    const blocks = [...this.blocks.children];
    const handles = [...this.handles.children];
    const at = blocks.findIndex(({ tabIndex }) => tabIndex === 0);
    const isBeside = (i) => Math.abs(i - at) <= STEPS;
    const isWithin = ({ segment: { start, end } }, beside) => end >= from - beside && start <= to + beside;
    const isNear = blocks.map((block, i) => isBeside(i) || isWithin(block, margin));
    const isWide = blocks.map(({ segment: { start, end } }, i) => isBeside(i) || end - start >= least);
    let left = AT_ONCE;
    blocks.forEach((block, i) => {
      conceal(block, !isNear[i]);
      if (i > 0) conceal(handles[i - 1], !(isNear[i] || isNear[i - 1]) || !(isWide[i] || isWide[i - 1]));
      if (left > 0 && isWithin(block, 0)) left -= Number(this.furnish(block, block.segment.end - block.segment.start));
    });
    this.keepInSight(blocks.find(({ segment: { start, end } }) => start < from && end > from), from);
    return left <= 0;
  }

  // The words of a block that begins before what is seen stand at its left edge. (position: sticky would do the same, with a
  // layer of its own for the words of every block: 300 of them cost more than all else in a frame.)
  keepInSight(block, from) {
    if (this.cut && this.cut !== block) this.cut.style.removeProperty('--cut');
    this.cut = block;
    block?.style.setProperty('--cut', `${this.scale.x(from - block.segment.start)}px`);
  }

  // Whether it says something else than before.
  furnish(block, seconds) {
    const width = this.scale.x(seconds);
    const room = [...ROOMS, BESIDE + block.sureWidth].filter((least) => width >= least).length;
    if (block.room === room) return false;
    block.room = room;
    block.dataset.room = room;
    block.replaceChildren(...words(block.segment, room));
    return true;
  }

  select(selected) {
    const blocks = [...this.blocks.children];
    blocks.forEach((block) => markSelected(block, selected));
    const at = blocks.findIndex(({ tabIndex }) => tabIndex === 0);
    if (at < 0) return;
    const first = Math.max(0, at - STEPS);
    const beside = [...blocks.slice(first, at + STEPS + 1), ...[...this.handles.children].slice(Math.max(0, first - 1), at + STEPS)];
    for (const element of beside) element.hidden = false;
  }

  // Show a boundary elsewhere without an edit: what a drag costs per frame.
  preview(index, time) {
    const [left, right] = [this.segments[index - 1], this.segments[index]];
    for (const [id, start, end] of [[left.id, left.start, time], [right.id, time, right.end]]) {
      const block = this.block(id);
      this.place(block, start, end);
      this.furnish(block, end - start);
      const when = block.querySelector('.when');
      if (when) setText(when, span(start, end));
    }
    this.handle(right.id).style.left = this.scale.percent(time);
  }

  block(id) {
    return this.blocks.querySelector(`[data-key="${id}"]`);
  }

  handle(id) {
    return this.handles.querySelector(`[data-key="${id}"]`);
  }

  place(element, start, end) {
    element.style.left = this.scale.percent(start);
    element.style.width = this.scale.percent(end - start);
  }

  updateBlock(element, segment, selected) {
    markSelected(element, selected);
    if (element.segment === segment && element.lines === store.view.utterances && element.length === this.scale.duration) return;
    Object.assign(element, { segment, lines: store.view.utterances, length: this.scale.duration });
    element.sureWidth = [...certaintyOf(segment)].reduce((sum, letter) => sum + (letter > '\u1100' ? WIDE_LETTER : LETTER), 0);
    element.room = null;
    this.place(element, segment.start, segment.end);
    this.furnish(element, segment.end - segment.start);
    element.style.setProperty('--fill', `var(--fill-${segment.emotion})`);
    element.style.setProperty('--sure', segment.confidence);
    element.classList.toggle('stale', isOld(segment));
    element.classList.toggle('empty', !segment.takes.length && !segment.silent);
    element.classList.toggle('silent', segment.silent);
    element.classList.toggle('locked', segment.locked);
    element.classList.toggle('unsure', segment.confidence < 0.5 && !isUnheard(segment));
    element.setAttribute('aria-label', describe(segment));
    element.title = describe(segment);
  }

  updateMark(element, mark) {
    element.mark = mark;
    this.place(element, mark.start, mark.end);
    element.style.setProperty('--fill', `var(--fill-${mark.emotion})`);
    const told = { emotion: emotionName(mark.emotion), n: (mark.end - mark.start).toFixed(1), share: percent(mark.confidence) };
    element.title = t('ignored_mark', told);
    element.setAttribute('aria-label', element.title);
  }

  updateHandle(element, index) {
    const [left, right] = [this.segments[index - 1], this.segments[index]];
    element.style.left = this.scale.percent(right.start);
    element.setAttribute('aria-valuenow', right.start.toFixed(2));
    element.setAttribute('aria-valuemin', left.start.toFixed(2));
    element.setAttribute('aria-valuemax', right.end.toFixed(2));
    element.setAttribute('aria-valuetext', clock(right.start, 2));
    element.setAttribute('aria-label', t('boundary_label', { left: emotionName(left.emotion), right: emotionName(right.emotion) }));
  }
}

function makeBlock() {
  return h('button', { type: 'button', class: 'seg', role: 'option' });
}

// Its ground, as the style sheet has it for a wide one; fainter where it is silent, between two lines where its music is old.
function paintNarrow(context, style, segment, [left, width, height]) {
  const least = Number(style.colour('least-ground'));
  const shares = [[1, 'under-ground'], [(least + (1 - least) * segment.confidence) * (segment.silent ? 0.5 : 1), `fill-${segment.emotion}`]];
  const box = [left + 1, 0, Math.max(1, width - 2), height, Math.min(7, width / 3)];
  for (const [alpha, fill] of shares) {
    context.globalAlpha = alpha;
    context.fillStyle = style.colour(fill);
    context.beginPath();
    context.roundRect(...box);
    context.fill();
  }
  if (!isOld(segment)) return;
  context.globalAlpha = 1;
  context.fillStyle = style.colour('warn');
  for (const y of [3, height - 5]) context.fillRect(box[0], y, box[2], 2);
}

// What a block says: nothing where it has no room, since each element of hundreds of blocks is styled and laid out in a frame.
function words(segment, room) {
  if (!room) return [];
  const hidden = { 'aria-hidden': 'true' }; // the block's own name says it all
  const now = state(segment);
  const marks = [segment.locked && 'lock', segment.silent && 'mute', isOld(segment) && 'refresh'].filter(Boolean);
  return [
    h('span', { class: 'name' }, emotionName(segment.emotion)),
    room > 1 && h('span', { class: 'when', ...hidden }, span(segment.start, segment.end)),
    now && h('span', { class: 'state', ...hidden }, now),
    marks.length && h('span', { class: 'marks' }, marks.map((name) => h('span', {}, icon(name)))),
    room > 2 && h('span', { class: 'sure', ...hidden }, certaintyOf(segment)),
    h('span', { class: 'bar' }),
  ].filter(Boolean);
}

function makeMark() {
  const element = h('button', { type: 'button', class: 'ignored-mark' });
  element.addEventListener('click', () => makeSegment(element.mark));
  return element;
}

function makeHandle() {
  return h('div', { class: 'handle', role: 'slider', tabindex: '0', 'aria-orientation': 'horizontal' });
}

function markSelected(element, { ids, at }) {
  const isIn = String(ids.has(element.dataset.key));
  if (element.getAttribute('aria-selected') !== isIn) element.setAttribute('aria-selected', isIn);
  element.tabIndex = element.dataset.key === at ? 0 : -1;
}

function conceal(element, isConcealed) {
  const isHidden = isConcealed && element !== document.activeElement;
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

let inPercent = null; // a formatter is dear to make
export function percent(share) {
  const { lang } = document.documentElement;
  if (inPercent?.lang !== lang) inPercent = { lang, format: new Intl.NumberFormat(lang || undefined, { style: 'percent' }).format };
  return inPercent.format(share);
}
// Whether the creator chose the emotion: a boundary moved or a lock set leaves the model's reading as it is.
export const isOwn = (segment) => segment.source === 'user' && segment.confidence === 1;
// Where nobody speaks, or the words were changed since, there is no reading that one could be sure or unsure of.
const isUnheard = (segment) => !isOwn(segment) && !segment.scores;

const isOld = ({ stale, takes }) => stale && takes.length > 0;
const certaintyOf = (segment) => certainty(segment, percent(segment.confidence));

function certainty(segment, share) {
  if (isUnheard(segment)) return t(isSpoken(segment) ? 'unread' : 'unheard');
  return isOwn(segment) ? t('by_you') : share;
}

// Whether the music is of what the block says.
function state(segment) {
  if (segment.composing) return t('composing');
  return isOld(segment) ? t('old') : '';
}

const span = (start, end) => `${clock(start)}–${clock(end)}`;

function describe(segment) {
  const parts = [emotionName(segment.emotion), span(segment.start, segment.end)];
  parts.push(certainty(segment, t('sure', { share: percent(segment.confidence) })));
  if (segment.silent) parts.push(t('silent'));
  if (segment.locked) parts.push(t('locked'));
  if (segment.stale) parts.push(t(segment.takes.length ? 'stale' : 'no_music'));
  return parts.join(', ');
}
