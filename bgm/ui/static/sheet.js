// A sheet that lies over the page and leaves the rest in use: what it does is seen on the timeline and heard meanwhile.
import { button, h } from './dom.js';
import { t } from './texts.js';

export function sheet(name, title, ...children) {
  const dialog = h('dialog', { class: `sheet ${name}`, 'aria-label': title });
  dialog.append(h('header', {}, h('h2', {}, title), h('span', { class: 'grow' }), button('close', t('close'), () => dialog.close())), ...children);
  document.addEventListener('keydown', ({ key, target }) => {
    const isNobodys = dialog.contains(target) || target === document.body; // a button that was greyed has lost the focus
    if (key === 'Escape' && dialog.open && isNobodys) dialog.close();
  });
  dialog.addEventListener('close', () => opener(name)?.focus());
  return dialog;
}

// The button that opens it, and closes it again.
export function sheetButton(name, element) {
  element.dataset.sheet = name;
  element.setAttribute('aria-haspopup', 'dialog');
  element.addEventListener('click', () => toggle(name));
  return element;
}

const opener = (name) => document.querySelector(`[data-sheet=${name}]`);

function toggle(name) {
  for (const dialog of document.querySelectorAll('dialog.sheet')) {
    if (dialog.classList.contains(name) && !dialog.open) {
      dialog.show();
      (dialog.querySelector('[autofocus]') ?? dialog.querySelector('button')).focus();
    } else if (dialog.open) dialog.close();
  }
}
