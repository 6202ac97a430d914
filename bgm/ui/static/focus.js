// The focus never falls from a room to the page, where letters are shortcuts: when a redraw removes, hides or greys what has it, what
// took its place gets it, else the room around it.
const MOMENT = 1000; // milliseconds after a text lost the focus so, and after each key that was still meant for it
const ROOMS = '[role=tabpanel], [role=group], dialog, .card';
const FOCUSABLE = 'button, input, select, textarea, [tabindex], [contenteditable]';
const TEXTS = 'textarea, [contenteditable], input:not([type=range], [type=checkbox], [type=radio])';
let held = null; // what has the focus, and where it stands
let lostAt = -Infinity;

export function keepFocus(root) {
  root.addEventListener('focusin', ({ target }) => {
    held = placeOf(target, root);
  });
  // Before the listeners of the element itself, which may remove it; what is done about it waits for the end of the redraw.
  root.addEventListener('blur', ({ relatedTarget }) => relatedTarget || queueMicrotask(mend), { capture: true });
  document.addEventListener('keydown', mend, { capture: true }); // not every browser tells that what it removed had the focus
  document.addEventListener('pointerdown', () => {
    held = null; // who points elsewhere means to leave
  }, { capture: true });
}

// Whether a key was meant for a text that lost the focus a moment ago.
export function wasMeantForText({ ctrlKey, metaKey }) {
  const now = performance.now();
  if (ctrlKey || metaKey || now - lostAt > MOMENT) return false;
  lostAt = now;
  return true;
}

function placeOf(element, root) {
  const item = element.closest('[data-key]');
  const list = item?.parentElement;
  const rooms = [];
  for (let room = element.parentElement?.closest(ROOMS); room && root.contains(room); room = room.parentElement.closest(ROOMS)) rooms.push(room);
  const kind = element === item ? null : [element.localName, ...[...element.classList].slice(0, 1)].join('.');
  return { element, list, at: list ? [...list.children].indexOf(item) : -1, kind, rooms, isText: element.matches(TEXTS) };
}

function mend() {
  if (!held || (document.activeElement && document.activeElement !== document.body && !isGone(document.activeElement))) return;
  const lost = held;
  held = null;
  if (!isGone(lost.element)) return; // it was left on purpose
  if (lost.isText) lostAt = performance.now();
  const next = successors(lost).find((one) => !isGone(one)) ?? lost.rooms.find((one) => !isGone(one));
  if (!next) return;
  if (!next.matches(FOCUSABLE)) {
    next.tabIndex = -1;
    next.addEventListener('blur', () => next.removeAttribute('tabindex'), { once: true });
  }
  next.focus({ preventScroll: true });
}

// The item that stands where the lost one stood, or the one before it: in it the same kind of thing.
function successors({ list, at, kind }) {
  const item = list?.children[Math.min(at, list.children.length - 1)];
  if (!item) return [];
  return kind ? [...item.querySelectorAll(kind), ...item.querySelectorAll(FOCUSABLE)] : [item];
}

function isGone(element) {
  return !element.isConnected || element.disabled || Boolean(element.closest('[inert]')) || !element.checkVisibility({ visibilityProperty: true });
}
