// A sheet that lies over the page and leaves the rest in use: what it does is seen on the timeline and heard meanwhile.
import { button, h } from './dom.js';
import { t } from './texts.js';

export function sheet(name, title, ...children) {
  const dialog = h('dialog', { class: `sheet ${name}`, 'data-name': name, 'aria-label': title });
  dialog.append(h('header', {}, h('h2', {}, title), h('span', { class: 'grow' }), button('close', t('close'), () => dialog.close())), ...children);
  document.addEventListener('keydown', ({ key, target }) => {
    const isNobodys = dialog.contains(target) || target === document.body; // a button that was greyed has lost the focus
    if (key === 'Escape' && dialog.open && isNobodys) dialog.close();
  });
  dialog.addEventListener('close', () => {
    opener(name)?.focus();
    tell();
  });
  return dialog;
}

// The button that opens it, and closes it again.
export function sheetButton(name, element) {
  element.dataset.sheet = name;
  element.setAttribute('aria-haspopup', 'dialog');
  element.addEventListener('click', () => showSheet(name === shownSheet() ? null : name));
  return element;
}

const opener = (name) => document.querySelector(`[data-sheet=${name}]`);
let tell = () => {};

// `listener` is called when another sheet is shown, or none.
export function onSheets(listener) {
  tell = listener;
}

export const shownSheet = () => document.querySelector('dialog.sheet[open]')?.dataset.name ?? null;

// This one alone; null: none.
export function showSheet(name) {
  for (const dialog of document.querySelectorAll('dialog.sheet')) {
    const isWanted = dialog.dataset.name === name;
    if (dialog.open && !isWanted) dialog.close();
    if (dialog.open || !isWanted) continue;
    dialog.show();
    (dialog.querySelector('[autofocus]') ?? dialog.querySelector('button')).focus();
  }
  tell();
}
