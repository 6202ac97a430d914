// The creator's own text in the place of what was recognised: it takes the times of the words that were heard.
import { button, h, setText } from '../dom.js';
import { sheet } from '../sheet.js';
import { commit, isSaving, store, subscribe } from '../store.js';
import { t } from '../texts.js';

export function scriptSheet() {
  const text = h('textarea', { rows: '12', autofocus: true, 'aria-label': t('script'), placeholder: t('script_placeholder'), spellcheck: 'false' });
  const lay = button('check', t('script_lay'), () => commit({ op: 'script', text: text.value }), { text: t('script_lay'), class: 'btn primary' });
  const told = h('p', { role: 'status' });
  const left = h('ul', { class: 'left' });
  const room = sheet('script', t('paste_script'), h('p', { class: 'note' }, t('script_hint')), text, h('div', { class: 'row' }, lay), told, left);
  const show = () => {
    lay.disabled = isSaving() || !text.value.trim();
  };
  text.addEventListener('input', show);
  subscribe(['view'], show);
  subscribe(['told'], () => {
    const found = store.told.find((one) => 'placed' in one);
    if (!found) return;
    setText(told, summary(found));
    left.replaceChildren(...found.unplaced.map((line) => h('li', {}, line)));
  });
  subscribe(['message'], () => {
    if (!room.open) return;
    const isBad = Boolean(store.message?.isError);
    if (isBad) left.replaceChildren();
    if (isBad || told.classList.contains('bad')) setText(told, isBad ? store.message.text : '');
    told.classList.toggle('bad', isBad);
  });
  return room;
}

function summary({ placed, kept, unplaced, labels }) {
  const parts = [t('script_placed', { n: placed })];
  if (kept) parts.push(t('script_kept', { n: kept }));
  if (labels) parts.push(t('script_labels', { n: labels }));
  if (unplaced.length) parts.push(t('script_unplaced', { n: unplaced.length }));
  return parts.join(' ');
}
