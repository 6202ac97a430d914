// The segments as coloured blocks, the handles between them, and a mark for every feeling that was too short to be a
// segment. Elements are kept by id, so focus survives redraws.
import { clock, h, icon, reconcile, setText } from '../dom.js';
import { makeSegment } from './actions.js';
import { isSpoken, store } from '../store.js';
import { emotionName, t } from '../texts.js';

const ROOMS = [24, 108]; // pixels from which on a block shows its name, its times
const [BESIDE, LETTER, WIDE_LETTER] = [122, 6.5, 11]; // pixels: the times and what is around them, a letter of how sure it is
const AT_ONCE = 8; // blocks that begin to say more or less in one frame
const STEPS = 2; // so many blocks beside the selected one are there for the keys, wherever one looks

export class Strip {
  constructor(element, scale) {
    this.element = element;
    this.scale = scale;
    this.blocks = h('div', { class: 'segs', role: 'listbox', 'aria-multiselectable': 'true', 'aria-label': t('segments') });
    this.handles = h('div', { class: 'handles', role: 'group', 'aria-label': t('boundaries') });
    this.marks = h('div', { class: 'ignored', role: 'group', 'aria-label': t('ignored') });
    element.append(this.blocks, this.marks, this.handles);
  }

  draw(segments, selected) {
    this.segments = segments;
    reconcile(this.blocks, segments, (s) => s.id, makeBlock, (element, s) => this.updateBlock(element, s, selected));
    reconcile(this.marks, segments.flatMap((s) => s.ignored ?? []), (m) => `${m.start}`, makeMark, (element, m) => this.updateMark(element, m));
    reconcile(this.handles, segments.slice(1), (s) => s.id, makeHandle, (element, s, i) => this.updateHandle(element, i + 1));
  }

  // After another zoom or scroll: what is far out of sight is not laid out, and a block says what it has room for. Whether some
  // are left for the next frame.
  fit() {
    const [from, to] = this.scale.range;
    const margin = (to - from) / 2;
    const blocks = [...this.blocks.children];
    const at = blocks.findIndex(({ tabIndex }) => tabIndex === 0);
    const isWithin = ({ segment: { start, end } }, beside) => end >= from - beside && start <= to + beside;
    const isNear = blocks.map((block, i) => Math.abs(i - at) <= STEPS || isWithin(block, margin));
    let left = AT_ONCE;
    blocks.forEach((block, i) => {
      conceal(block, !isNear[i]);
      if (i > 0) conceal(this.handles.children[i - 1], !isNear[i] && !isNear[i - 1]);
      if (left > 0 && isWithin(block, 0)) left -= Number(this.furnish(block, block.segment.end - block.segment.start));
    });
    return left <= 0;
  }

  // Whether it says something else than before.
  furnish(block, seconds) {
    const width = this.scale.x(seconds);
    const room = String([...ROOMS, BESIDE + block.sureWidth].filter((least) => width >= least).length);
    const isOther = block.dataset.room !== room;
    if (isOther) block.dataset.room = room;
    return isOther;
  }

  select(selected) {
    const blocks = [...this.blocks.children];
    blocks.forEach((block) => markSelected(block, selected));
    const at = blocks.findIndex(({ tabIndex }) => tabIndex === 0);
    for (const block of blocks.slice(Math.max(0, at - STEPS), at + STEPS + 1)) block.hidden = false;
  }

  // Show a boundary elsewhere without an edit: what a drag costs per frame.
  preview(index, time) {
    const [left, right] = [this.segments[index - 1], this.segments[index]];
    for (const [id, start, end] of [[left.id, left.start, time], [right.id, time, right.end]]) {
      this.place(this.block(id), start, end);
      this.furnish(this.block(id), end - start);
    }
    this.handle(right.id).style.left = this.scale.percent(time);
    setText(this.block(left.id).querySelector('.when'), span(left.start, time));
    setText(this.block(right.id).querySelector('.when'), span(time, right.end));
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
    const sure = certainty(segment, percent(segment.confidence));
    element.sureWidth = [...sure].reduce((sum, letter) => sum + (letter > '\u1100' ? WIDE_LETTER : LETTER), 0);
    this.place(element, segment.start, segment.end);
    this.furnish(element, segment.end - segment.start);
    element.style.setProperty('--fill', `var(--fill-${segment.emotion})`);
    element.style.setProperty('--sure', segment.confidence);
    element.classList.toggle('stale', segment.stale && segment.takes.length > 0);
    element.classList.toggle('empty', !segment.takes.length && !segment.silent);
    element.classList.toggle('silent', segment.silent);
    element.classList.toggle('locked', segment.locked);
    element.classList.toggle('unsure', segment.confidence < 0.5 && !isUnheard(segment));
    setText(element.querySelector('.name'), emotionName(segment.emotion));
    setText(element.querySelector('.when'), span(segment.start, segment.end));
    setText(element.querySelector('.state'), state(segment));
    setText(element.querySelector('.sure'), sure);
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
  return h('button', { type: 'button', class: 'seg', role: 'option' },
    h('span', { class: 'name' }), h('span', { class: 'when', 'aria-hidden': 'true' }), h('span', { class: 'state', 'aria-hidden': 'true' }),
    h('span', { class: 'marks' }, marked('lock', 'is-locked'), marked('mute', 'is-silent'), marked('refresh', 'is-stale')),
    h('span', { class: 'sure', 'aria-hidden': 'true' }), h('span', { class: 'bar' }));
}

function makeMark() {
  const element = h('button', { type: 'button', class: 'ignored-mark' });
  element.addEventListener('click', () => makeSegment(element.mark));
  return element;
}

function marked(name, className) {
  return h('span', { class: className }, icon(name));
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

function certainty(segment, share) {
  if (isUnheard(segment)) return t(isSpoken(segment) ? 'unread' : 'unheard');
  return isOwn(segment) ? t('by_you') : share;
}

// Whether the music is of what the block says.
function state({ composing, stale, takes }) {
  if (composing) return t('composing');
  return stale && takes.length ? t('old') : '';
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
