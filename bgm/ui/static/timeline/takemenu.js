// The takes of a segment in a menu at its clip: play one, choose one, have another made.
import { button, h } from '../dom.js';
import { commit, isBusy, segments } from '../store.js';
import { anotherTake, takeName, togglePlay } from '../takes.js';
import { t } from '../texts.js';

let closeMenu = () => {};

export function openTakes(opener, id) {
  closeMenu();
  const segment = segments().find((s) => s.id === id);
  if (!segment) return;
  const menu = h('div', { class: 'take-menu', role: 'menu', 'aria-label': t('takes') }, segment.takes.map((take) => item(segment, take)), more(segment));
  document.querySelector('.bgm-studio').append(menu);
  place(menu, opener.getBoundingClientRect());
  opener.setAttribute('aria-expanded', 'true');
  const outside = ({ target }) => menu.contains(target) || closeMenu();
  closeMenu = () => {
    if (menu.contains(document.activeElement)) opener.focus(); // whoever came by keyboard goes on from there
    menu.remove();
    opener.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside);
    closeMenu = () => {};
  };
  document.addEventListener('pointerdown', outside);
  menu.addEventListener('keydown', (event) => onKey(event, menu));
  (menu.querySelector('[aria-checked=true]') ?? menu.querySelector('button')).focus();
}

function item(segment, take) {
  const choose = h('button', { type: 'button', class: 'choose', role: 'menuitemradio', 'aria-checked': String(take.id === segment.chosen) }, takeName(segment, take));
  choose.addEventListener('click', () => {
    closeMenu();
    if (take.id !== segment.chosen) commit({ op: 'choose', id: segment.id, take: take.id });
  });
  const play = button('play', t('play_take'), () => togglePlay(take.url), { role: 'menuitem' });
  return h('div', { class: 'row', role: 'presentation' }, choose, play);
}

function more(segment) {
  return h('button', { type: 'button', class: 'btn', role: 'menuitem', disabled: isBusy() || segment.locked, onclick: () => {
    closeMenu();
    anotherTake(segment);
  } }, t('another_take'));
}

function place(menu, { left, top }) {
  menu.style.left = `${Math.max(4, Math.min(left, window.innerWidth - menu.offsetWidth - 4))}px`;
  menu.style.bottom = `${window.innerHeight - top + 4}px`;
}

function onKey(event, menu) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === 'Escape') closeMenu();
  else if (by) {
    const items = [...menu.querySelectorAll('button:not(:disabled)')];
    items.at((items.indexOf(document.activeElement) + by) % items.length).focus();
  }
  event.stopPropagation(); // no key in a menu is a shortcut
  if (by || event.key === 'Escape') event.preventDefault();
}
