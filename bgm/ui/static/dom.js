// Small helpers for building elements. h('button', {class: 'x', onclick: f}, 'text', child)
const SVG = 'http://www.w3.org/2000/svg';

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function set(element, name, value) {
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (value === true) element.setAttribute(name, '');
  else if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const PATHS = {
  play: 'M7 4.5v15l12-7.5z',
  pause: 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z',
  next: 'M5 5v14l9-7zM15.5 5H18v14h-2.5z',
  split: 'M11 3h2v18h-2zM8 8l-5 4 5 4zM16 8l5 4-5 4z',
  merge: 'M3 8l5 4-5 4zM21 8l-5 4 5 4zM9 11h6v2H9z',
  mute: 'M4 9v6h4l5 4V5L8 9zM16 9.5l5 5-1.3 1.3-5-5zM19.7 8.2 21 9.5l-5 5-1.3-1.3z',
  sound: 'M4 9v6h4l5 4V5L8 9zM15.5 8.5a5 5 0 0 1 0 7zM17.5 6a8.5 8.5 0 0 1 0 12l-1.2-1.3a6.5 6.5 0 0 0 0-9.4z',
  lock: 'M7 10V8a5 5 0 0 1 10 0v2h1v10H6V10zm2 0h6V8a3 3 0 0 0-6 0z',
  unlock: 'M7 10V8a5 5 0 0 1 9.6-2l-1.8.8A3 3 0 0 0 9 8v2h9v10H6V10z',
  undo: 'M9 5 3 10l6 5v-3.5h5a3.5 3.5 0 0 1 0 7h-4v2h4a5.5 5.5 0 0 0 0-11H9z',
  redo: 'm15 5 6 5-6 5v-3.5h-5a3.5 3.5 0 0 0 0 7h4v2h-4a5.5 5.5 0 0 1 0-11h5z',
  plus: 'M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z',
  minus: 'M5 11h14v2H5z',
  fit: 'M4 5h2v14H4zM18 5h2v14h-2zM11 8l-4 4 4 4v-3h2v3l4-4-4-4v3h-2z',
  left: 'M15 5 7 12l8 7z',
  right: 'm9 5 8 7-8 7z',
  refresh: 'M12 5a7 7 0 0 1 6.3 4H15v2h7V4h-2v3.4A9 9 0 1 0 21 13h-2a7 7 0 1 1-7-8z',
  tune: 'M4 6h9v2H4zM17 6h3v2h-3zM13.500 4.500h2v5h-2zM4 11h3v2H4zM11 11h9v2h-9zM7.500 9.500h2v5h-2zM4 16h7v2H4zM15 16h5v2h-5zM11.500 14.500h2v5h-2z',
  download: 'M11 4h2v8h3l-4 5-4-5h3zM5 18h14v2H5z',
  upload: 'M11 17h2V9h3l-4-5-4 5h3zM5 18h14v2H5z',
  dice: 'M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm3.5 3a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zm7 7a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z',
  paste: 'M9 3h6v2h4v16H5V5h4zm2 2v2h2V5zM7 7v12h10V7h-2v2H9V7zm2 4h6v2H9zm0 3h6v2H9z',
  swap: 'M7 4 3 8l4 4V9h9V7H7zM17 12v3H8v2h9v3l4-4z',
  trash: 'M9 3h6l1 2h4v2H4V5h4zM6 8h12l-1 13H7zm3 2v9h2v-9zm4 0v9h2v-9z',
  search: 'M10 4a6 6 0 1 1-3.7 10.7l-3 3L2 16.4l3-3A6 6 0 0 1 10 4zm0 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
  ask: 'M12 3a5 5 0 0 0-5 5h2.200a2.800 2.800 0 1 1 4.300 2.400c-1.700 1.100-2.600 2-2.600 4.100h2.200c0-1.200.5-1.600 1.600-2.300A5 5 0 0 0 12 3zM10.800 17h2.400v2.600h-2.400z',
  check: 'm9.5 17.5-5-5 1.4-1.4 3.6 3.6 8.6-8.6L19.5 7.500z',
  film: 'M4 5h16v14H4zm2 2v2h2V7zm0 4v2h2v-2zm0 4v2h2v-2zm10-8v2h2V7zm0 4v2h2v-2zm0 4v2h2v-2z',
  full: 'M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z',
  close: 'm6.4 5 5.600 5.600L17.600 5 19 6.400 13.400 12 19 17.600 17.600 19 12 13.400 6.400 19 5 17.600 10.600 12 5 6.400z',
  keys: 'M3 6h18v12H3zm2 2v8h14V8zm1.500 1.500h2v2h-2zm3.500 0h2v2h-2zm3.500 0h2v2h-2zm3.500 0h2v2h-2zM8 13h8v1.800H8z',
  mark: 'M6 4h12v16.500l-6-4.200-6 4.200zm2 2v10.700l4-2.800 4 2.800V6z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11 2h2v3h-2zM11 19h2v3h-2zM2 11h3v2H2zM19 11h3v2h-3zM4.200 5.600l1.400-1.400 2.100 2.100-1.400 1.400zM16.300 17.700l1.400-1.400 2.100 2.100-1.400 1.400zM4.200 18.400l2.100-2.100 1.400 1.400-2.100 2.100zM16.300 6.300l2.100-2.100 1.400 1.400-2.100 2.100z',
};

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

// A button with an icon, a label that screen readers hear, and a text that narrow pages leave out.
export function button(name, label, onclick, { text = '', key = '', ...more } = {}) {
  const title = key ? `${label} (${key})` : label;
  return h('button', { type: 'button', class: 'btn', title, 'aria-label': title, onclick, ...more }, icon(name),
    text && h('span', {}, text));
}

const rounds = new WeakMap(); // how often the children of a parent were brought in step

// Keep the children of `parent` in step with `items`: one element per key, made once, updated often, in order.
export function reconcile(parent, items, keyOf, make, update) {
  const round = (rounds.get(parent) ?? 0) + 1;
  rounds.set(parent, round);
  // The focus leaves what goes before it goes: what was typed there is an edit, which draws these children anew, in the middle of
  // this. Then they are newer than `items`.
  const keys = items.map((item, index) => String(keyOf(item, index)));
  const typed = document.activeElement;
  const child = parent.contains(typed) && [...parent.children].find((one) => one.contains(typed));
  if (child && !keys.includes(child.dataset.key)) typed.blur();
  if (rounds.get(parent) !== round) return;
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const [index, item] of items.entries()) {
    const key = keys[index];
    let element = old.get(key);
    if (!element) {
      element = make(item);
      element.dataset.key = key;
    }
    old.delete(key);
    if (element === before) before = before.nextElementSibling;
    else parent.insertBefore(element, before);
    update(element, item, index);
  }
  for (const gone of old.values()) gone.remove();
}

export function clock(seconds, digits = 1) {
  const safe = Math.max(0, Number.isFinite(seconds) ? seconds : 0);
  const scale = 10 ** digits;
  const ticks = Math.round(safe * scale);
  const s = (ticks % (60 * scale)) / scale;
  const minutes = Math.floor(ticks / (60 * scale));
  const tail = s.toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  return minutes < 60 ? `${minutes}:${tail}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${tail}`;
}

// What comes from an address, as `read` takes it from the answer; null where nothing does: no connection, refused, cut off or
// damaged. What asked goes on without it.
export async function fetched(address, read = (answer) => answer.json()) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await read(answer) : null;
  } catch {
    return null;
  }
}

const FIELDS = 'input:not([type=range]):not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [role=textbox], [role=combobox]';

// Whether a key goes into a text: any field or editable element, ours or Gradio's, also inside a component of its own,
// or an input method that is still composing (229: what Safari says of the key that ends it).
export function isTyping(event) {
  const target = event.composedPath()[0] ?? event.target;
  return event.isComposing || event.keyCode === 229 || Boolean(target.isContentEditable || target.closest?.(FIELDS));
}
