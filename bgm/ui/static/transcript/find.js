// Find and replace in the transcript: Ctrl+F looks, Ctrl+H replaces, Enter goes to the next line that was found.
import { button, h, icon, setText } from '../dom.js';
import { sought } from '../edits.js';
import { seek } from '../playback.js';
import { commit, say, store, subscribe } from '../store.js';
import { t } from '../texts.js';

export function finder(list, redraw) {
  const search = h('input', { type: 'search', placeholder: t('search'), 'aria-label': t('search') });
  const put = h('input', { type: 'text', placeholder: t('replace_with'), 'aria-label': t('replace_with') });
  const found = h('span', { class: 'note', role: 'status' });
  const all = button('check', t('replace_all'), () => replaceAll(), { text: t('replace_all') });
  const words = h('input', { type: 'checkbox', onchange: () => redraw() });
  const whole = () => !replacing.hidden && words.checked; // only where one sees that it is on
  const more = button('swap', t('replace'), () => open(replacing.hidden), { key: 'Ctrl+H', 'aria-expanded': 'false' });
  const replacing = h('div', { class: 'row replacing', role: 'group', 'aria-label': t('replace'), hidden: true }, put, h('label', { class: 'check' }, words, h('span', {}, t('whole_words'))), all);
  const wanted = () => search.value.replace(/\s+/g, ' ').trim();
  const open = (isOpen) => {
    replacing.hidden = !isOpen;
    more.setAttribute('aria-expanded', String(isOpen));
    if (words.checked) redraw();
    (isOpen && wanted() ? put : search).focus();
  };
  const replaceAll = () => {
    if (wanted()) commit({ op: 'replace', find: wanted(), put: put.value, whole: whole() });
    else say(t('nothing_to_find'), true);
  };
  const filter = (lines) => {
    const shown = wanted() ? lines.filter(({ utterance: u }) => `${u.text}\n${u.english}`.search(sought(wanted(), whole())) >= 0) : lines;
    setText(found, wanted() ? t('found', { n: shown.length }) : '');
    all.disabled = !wanted() || !shown.length;
    return shown;
  };
  search.addEventListener('input', redraw);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.isComposing) walk(list, event.shiftKey ? -1 : 1);
    if (event.key === 'Escape' && !search.value) open(false);
  });
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab' || event.shiftKey || replacing.hidden) return;
    event.preventDefault();
    put.focus(); // what stands between them is reached from there, backwards
  });
  put.addEventListener('keydown', (event) => event.key === 'Enter' && !event.isComposing && replaceAll());
  subscribe(['told'], () => {
    const told = store.told.find((one) => 'replaced' in one);
    if (told) say(t('replaced', { n: told.replaced }));
  });
  const onKey = (event) => {
    const key = (event.ctrlKey || event.metaKey) && !event.altKey ? event.key.toLowerCase() : '';
    if (key !== 'f' && key !== 'h') return;
    event.preventDefault();
    show(key === 'h' || !replacing.hidden);
  };
  const show = (isReplacing) => {
    open(isReplacing);
    search.focus();
    search.select();
  };
  const element = h('span', { class: 'find' }, icon('search'), search, found, more);
  return { element, replacing, filter, onKey, show, highlight: () => highlight(list, wanted() && sought(wanted(), whole())) };
}

function walk(list, by) {
  const lines = [...list.children];
  const at = lines.indexOf(list.current);
  const next = lines.at(at < 0 ? (by > 0 ? 0 : -1) : (at + by) % lines.length);
  if (!next) return;
  seek(next.start);
  next.scrollIntoView({ block: 'nearest' });
}

// What was found is marked where the browser can mark a text without touching it.
function highlight(list, pattern) {
  if (!window.CSS?.highlights) return;
  const ranges = pattern ? [...list.querySelectorAll('[contenteditable]')].flatMap((element) => rangesIn(element, pattern)) : [];
  CSS.highlights.set('bgm-found', new Highlight(...ranges));
}

function rangesIn({ firstChild: node }, pattern) {
  return [...(node?.textContent ?? '').matchAll(pattern)].map(({ index, 0: { length } }) => {
    const range = new Range();
    range.setStart(node, index);
    range.setEnd(node, index + length);
    return range;
  });
}
