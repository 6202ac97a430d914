// What was said, line by line, in step with the playhead: click to seek, edit, cut, join, search and replace.
import { isBrokenOff } from '../current.js';
import { button, h, reconcile, set, setText } from '../dom.js';
import { now, onTime } from '../playback.js';
import { pick } from '../panel.js';
import { sheetButton } from '../sheet.js';
import { isBusy, savedLines, store, subscribe } from '../store.js';
import { t } from '../texts.js';
import { finder } from './find.js';
import { makeLine, updateLine } from './line.js';
import { lineBar } from './linebar.js';

export function transcriptRoom() {
  const list = h('ol', { class: 'lines' });
  const find = finder(list, () => redraw());
  const bar = lineBar(list);
  const script = sheetButton('script', button('paste', t('paste_script'), () => {}, { text: t('paste_script_short') }));
  const subtitles = button('upload', t('use_subtitles'), () => pick('#bgm-subtitles'), { text: t('use_subtitles_short') });
  const empty = h('p', { class: 'note' }, t('no_speech'));
  const unread = h('p', { class: 'note', role: 'status' });
  const tools = h('div', { class: 'tab-tools' }, find.element, script, subtitles); // beside the tabs: the lines have the room
  const room = h('div', { class: 'transcript' }, find.replacing, h('div', { 'data-problems': 'transcript' }), bar, unread, empty, list);
  const redraw = () => {
    const all = (store.view.utterances ?? []).map((utterance, index) => ({ utterance, index }));
    const shown = find.filter(all);
    reconcile(list, shown, ({ index }) => index, makeLine, updateLine);
    const known = savedLines();
    for (const line of list.children) {
      const isUnsaved = Boolean(known) && !known.has(line.utterance);
      line.classList.toggle('unsaved', isUnsaved);
      set(line, 'title', isUnsaved && t('unsaved'));
    }
    find.highlight();
    markCurrent(list, now());
  };
  subscribe(['view'], () => {
    redraw();
    empty.hidden = !store.view.analyzed || Boolean(store.view.utterances?.length);
    for (const part of [find.element, bar]) part.hidden = !empty.hidden;
  });
  subscribe(['view', 'job'], () => {
    const mute = (store.view.utterances ?? []).filter((u) => !u.english).length;
    unread.hidden = !mute && !isBrokenOff();
    setText(unread, isBrokenOff() ? t('invite_again') : t('no_english', { n: mute }));
    subtitles.disabled = isBusy();
    script.disabled = !empty.hidden;
  });
  onTime((time) => markCurrent(list, time));
  for (const part of [room, tools]) part.addEventListener('keydown', find.onKey);
  return Object.assign(room, { tools, find: () => find.element.hidden || find.show(true) });
}

function markCurrent(list, time) {
  const current = [...list.children].find((line) => time >= line.start && time < line.end) ?? null;
  if (list.current === current) return;
  list.current?.removeAttribute('aria-current');
  list.current = current;
  list.dispatchEvent(new Event('current'));
  if (!current) return;
  current.setAttribute('aria-current', 'true');
  const top = current.offsetTop - list.offsetTop;
  const isSeen = top >= list.scrollTop && top + current.offsetHeight <= list.scrollTop + list.clientHeight;
  if (!isSeen && !list.contains(document.activeElement)) list.scrollTop = top - list.clientHeight / 3;
}
