// What was said, line by line, in step with the playhead: click to seek, edit, search.
import { button, clock, h, icon, reconcile, set, setText } from './dom.js';
import { now, onTime, seek } from './playback.js';
import { ask, EMOTIONS, isBusy, store, subscribe } from './store.js';
import { pick } from './panel.js';
import { emotionName, t } from './texts.js';
import { percent } from './timeline/strip.js';

export function transcriptRoom() {
  const list = h('ol', { class: 'lines' });
  const search = h('input', { type: 'search', placeholder: t('search'), 'aria-label': t('search') });
  const found = h('span', { class: 'note' });
  const reread = button('refresh', t('reread'), () => store.run('read_emotions'), { text: t('reread') });
  const subtitles = button('upload', t('use_subtitles'), () => pick('#bgm-subtitles'), { text: t('use_subtitles') });
  const empty = h('p', { class: 'note' }, t('no_speech'));
  const unread = h('p', { class: 'note', role: 'status' });
  const redraw = () => draw(list, search.value.trim().toLowerCase(), found);
  search.addEventListener('input', redraw);
  subscribe(['view'], () => {
    redraw();
    empty.hidden = !store.view.analyzed || Boolean(store.view.utterances?.length);
    search.parentElement?.toggleAttribute('hidden', !empty.hidden);
    const mute = (store.view.utterances ?? []).filter((u) => !u.english).length;
    unread.hidden = !mute;
    setText(unread, t('no_english', { n: mute }));
  });
  subscribe(['view', 'job'], () => {
    reread.hidden = !(store.view.utterances ?? []).some((u) => u.english && !u.scores);
    reread.disabled = isBusy();
    subtitles.disabled = isBusy();
  });
  onTime((time) => markCurrent(list, time));
  return h('div', { class: 'transcript' },
    h('header', {}, h('span', { class: 'find' }, icon('search'), search, found), h('span', { class: 'grow' }), reread, subtitles),
    h('div', { 'data-problems': 'transcript' }), h('p', { class: 'note' }, t('transcript_hint')), unread, empty, list);
}

function draw(list, wanted, found) {
  const all = (store.view.utterances ?? []).map((utterance, index) => ({ utterance, index }));
  const shown = wanted ? all.filter(({ utterance: u }) => `${u.text} ${u.english}`.toLowerCase().includes(wanted)) : all;
  setText(found, wanted ? t('found', { n: shown.length }) : '');
  reconcile(list, shown, ({ index }) => index, makeLine, updateLine);
  markCurrent(list, now());
}

function makeLine({ index }) {
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

function updateLine(line, { utterance: u }) {
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
  set(line.querySelector('.words'), 'title', u.unsure ? t('unsure_hint') : '');
  showFeeling(line.querySelector('.feeling'), u);
}

// Emotions are read in English: a line that has no translation yet shows where to write it.
const needsEnglish = (u) => u.english !== u.text && store.view.language !== 'en';

function showFeeling(element, { scores, english }) {
  const best = scores ? scores.indexOf(Math.max(...scores)) : -1;
  element.classList.toggle('unread', best < 0);
  element.style.setProperty('--fill', best < 0 ? 'transparent' : `var(--fill-${EMOTIONS[best]})`);
  const why = english ? 'unread' : 'unreadable';
  setText(element, best < 0 ? t(why) : emotionName(EMOTIONS[best]));
  set(element, 'title', best < 0 ? t(`${why}_hint`) : percent(scores[best]));
}

// A text that is edited in place: Enter saves, Escape leaves it as it was.
function editable(name, index, label) {
  const element = h('p', { contenteditable: 'plaintext-only', role: 'textbox', spellcheck: 'false', class: name, 'aria-label': label });
  if (element.contentEditable !== 'plaintext-only') element.contentEditable = 'true';
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') element.textContent = element.saved;
    if (event.key === 'Escape' || (event.key === 'Enter' && !event.isComposing)) {
      event.preventDefault();
      element.blur();
    }
  });
  element.addEventListener('blur', () => saveText(element, name, index));
  return element;
}

async function saveText(element, name, index) {
  const text = element.textContent.replace(/\s+/g, ' ').trim();
  if (text === element.saved) return;
  const isKept = text && (await ask('set_text', { index, name, text }));
  if (!isKept) element.textContent = element.saved;
}

function fill(element, text) {
  element.saved = text;
  if (document.activeElement !== element) setText(element, text);
}

function markCurrent(list, time) {
  const current = [...list.children].find((line) => time >= line.start && time < line.end) ?? null;
  if (list.current === current) return;
  list.current?.removeAttribute('aria-current');
  list.current = current;
  if (!current) return;
  current.setAttribute('aria-current', 'true');
  const top = current.offsetTop - list.offsetTop;
  const isSeen = top >= list.scrollTop && top + current.offsetHeight <= list.scrollTop + list.clientHeight;
  if (!isSeen && !list.contains(document.activeElement)) list.scrollTop = top - list.clientHeight / 3;
}
