// One line: its words and their English are edited in place. Enter cuts the line at the caret and, with nothing beyond it,
// saves it and goes on to the next; Backspace at the start joins it with the line before, Delete at the end with the next; Escape leaves it as it was.
import { clock, h, set, setText } from '../dom.js';
import { isStill, wasOf } from '../edits.js';
import { seek } from '../playback.js';
import { commit, EMOTIONS, store } from '../store.js';
import { emotionName, t } from '../texts.js';
import { percent } from '../timeline/strip.js';

export function makeLine({ index }) {
  const when = h('button', { type: 'button', class: 'when', title: t('seek_here') });
  const line = h('li', { class: 'line' }, when, h('div', { class: 'words' }), h('span', { class: 'feeling' }));
  line.words = line.querySelector('.words');
  line.original = editable('text', index, t('line_text'));
  line.english = editable('english', index, t('line_english'));
  line.english.dataset.hint = t('english_hint');
  line.words.append(line.original, line.english);
  when.addEventListener('click', () => seek(line.start));
  line.addEventListener('click', (event) => event.target.closest('[contenteditable], button') || seek(line.start));
  return line;
}

export function updateLine(line, { utterance: u }) {
  if (line.utterance === u) return;
  line.utterance = u;
  line.start = u.start;
  line.end = u.end;
  setText(line.querySelector('.when'), clock(u.start));
  fill(line.original, u.text);
  fill(line.english, u.english);
  line.english.hidden = !needsEnglish(u);
  line.original.lang = store.view.language ?? '';
  line.classList.toggle('unsure', u.unsure);
  set(line.words, 'title', u.unsure ? t('unsure_hint') : '');
  showFeeling(line.querySelector('.feeling'), u);
}

// Emotions are read in English: a line that has no translation yet shows where to write it.
const needsEnglish = (u) => u.english !== u.text && store.view.language !== 'en';

function showFeeling(element, { scores, english }) {
  const best = scores ? scores.indexOf(Math.max(...scores)) : -1;
  const isToCome = best < 0 && !store.view.analyzed; // while the words arrive
  element.classList.toggle('unread', best < 0 && !isToCome);
  element.style.setProperty('--fill', best < 0 ? 'transparent' : `var(--fill-${EMOTIONS[best]})`);
  const why = english ? 'unread' : 'unreadable';
  setText(element, isToCome ? '…' : best < 0 ? t(why) : emotionName(EMOTIONS[best]));
  set(element, 'title', isToCome ? '' : best < 0 ? t(`${why}_hint`) : percent(scores[best]));
}

function editable(name, index, label) {
  const element = h('p', { contenteditable: 'plaintext-only', role: 'textbox', spellcheck: 'false', class: name, 'aria-label': label });
  if (element.contentEditable !== 'plaintext-only') element.contentEditable = 'true';
  element.addEventListener('beforeinput', () => {
    element.was ??= element.closest('.line').utterance; // what is typed is an edit of this line, wherever it is by then
  });
  element.addEventListener('keydown', (event) => !event.isComposing && onKey(event, element, name, index));
  element.addEventListener('blur', () => saveText(element, name, index));
  return element;
}

function onKey(event, element, name, index) {
  const isText = name === 'text';
  if (event.key === 'Escape') settle(element, element.saved);
  if (event.key === 'Escape') element.blur();
  else if (event.key === 'Enter') {
    if (!isText || !splitAt(element, index, caret(element))) goOn(element, name, index);
  } else if (event.key === 'Backspace' && isText && index > 0 && caret(element) === 0) mergeLines(index - 1);
  else if (event.key === 'Delete' && isText && index + 1 < count() && caret(element) === element.textContent.length) mergeLines(index);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// To the end of the next line, so that what is typed next is text; in the last one the caret stays.
function goOn(element, name, index) {
  const line = element.closest('.line').nextElementSibling;
  const next = [line?.querySelector(`.${name}`), line?.querySelector('.text')].find((one) => one && !one.hidden);
  if (!next) return saveText(element, name, index);
  next.focus();
  document.getSelection().selectAllChildren(next);
  document.getSelection().collapseToEnd();
}

const count = () => store.view.utterances.length;
const tidy = (text) => text.replace(/\s+/g, ' ').trim();

// How many characters stand before the caret; null where there is none, or a selection.
export function caret(element) {
  const selection = document.getSelection();
  if (!selection.rangeCount || !selection.isCollapsed || !element.contains(selection.anchorNode)) return null;
  const before = document.createRange();
  before.setStart(element, 0);
  before.setEnd(selection.anchorNode, selection.anchorOffset);
  return before.toString().length;
}

// Cut the words of a line before the given character; false where one part would have none.
export function splitAt(element, index, offset) {
  if (offset === null) return false;
  const [left, right] = [element.textContent.slice(0, offset), element.textContent.slice(offset)].map(tidy);
  if (!left || !right) return false;
  const was = knownOf(index);
  settle(element, isStill(store.view.utterances, index, was) ? left : element.saved);
  commit({ op: 'line_split', index, was: [wasOf(was)], left, right });
  typeIn(index + 1, 0);
  return true;
}

// Join a line with the next one, with what is typed in them just now.
export function mergeLines(index) {
  const [first, second] = [index, index + 1].map((i) => tidy(textOf(i)?.textContent ?? store.view.utterances[i].text));
  const text = `${first} ${second}`.trim();
  const [was, next] = [index, index + 1].map(knownOf);
  const active = document.activeElement;
  const wasTyping = active?.matches('.line .text');
  if (wasTyping) settle(active, isStill(store.view.utterances, index, was) ? text : active.saved);
  commit({ op: 'line_merge', index, was: [wasOf(was), wasOf(next)], text });
  if (wasTyping) typeIn(index, first.length ? first.length + 1 : 0);
}

export const textOf = (index) => document.querySelector(`.lines [data-key="${index}"] .text`);

// The line as it was when one began to type in it.
const knownOf = (index) => textOf(index)?.was ?? store.view.utterances[index];

// What the line holds from now on; nothing is left to be saved when it loses the focus.
function settle(element, text) {
  element.textContent = text;
  element.saved = text;
  element.was = null;
}

function typeIn(index, offset) {
  const element = textOf(index);
  if (!element) return;
  element.focus();
  element.textContent = store.view.utterances[index].text;
  const node = element.firstChild ?? element;
  document.getSelection().collapse(node, Math.min(offset, node.textContent.length));
}

function saveText(element, name, index) {
  const text = tidy(element.textContent);
  const was = element.was ?? store.view.utterances[index];
  const isEdit = was && text && text !== (element.was?.[name] ?? element.saved);
  element.was = null;
  // Where its line stands elsewhere by now, the edit is shown there.
  if (!isEdit || !isStill(store.view.utterances, index, was)) setText(element, element.saved);
  if (isEdit) commit({ op: 'line_text', index, was: [wasOf(was, name)], name, text });
}

function fill(element, text) {
  const isTyped = document.activeElement === element && element.textContent !== element.saved;
  element.saved = text;
  if (!isTyped) setText(element, text);
}
