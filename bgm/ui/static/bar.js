// The bar over the editor: whose project this is, one step back and on, which engines worked, and the sheets.
import { button, h, setText } from './dom.js';
import { pageTools } from './header.js';
import { sheetButton } from './sheet.js';
import { store, subscribe } from './store.js';
import * as actions from './timeline/actions.js';
import { engineName, t, translated } from './texts.js';

export function bar(close, ...work) {
  const title = h('strong', { class: 'title' });
  const undo = button('undo', t('undo'), actions.undo, { key: 'Ctrl+Z' });
  const redo = button('redo', t('redo'), actions.redo, { key: 'Ctrl+Shift+Z' });
  subscribe(['view'], () => {
    const { history, title: name, analyzed } = store.view;
    setText(title, name ?? '');
    title.title = name ?? '';
    undo.disabled = !analyzed || !history?.undo;
    redo.disabled = !analyzed || !history?.redo;
  });
  return h('header', { class: 'bar' }, button('left', t('new_video'), close), title, undo, redo, ...work, h('span', { class: 'grow' }), engineChip(),
    sheetButton('shortcuts', button('keys', t('keys'), null)), sheetButton('snapshots', button('mark', t('snapshots'), null)), sheetButton('settings', button('tune', t('settings'), null)), pageTools(),
    sheetButton('export', button('download', t('export'), null, { text: t('export'), class: 'btn primary' })));
}

// Which composer is at work in one word; who did each step, and why it was that one, behind it.
function engineChip() {
  const name = h('span', {});
  const list = h('ul', {});
  const chip = h('details', { class: 'engines' }, h('summary', { title: t('engines') }, name), list);
  subscribe(['view'], () => {
    const used = store.view.engines ?? [];
    chip.hidden = !used.length;
    const composer = used.find(({ stage }) => stage === 'music');
    setText(name, composer ? engineName(composer.name) : t('engines_short'));
    list.replaceChildren(...used.map(({ stage, name: engine, reason }) =>
      h('li', {}, h('b', {}, `${t(`uses_${stage}`)}: ${engineName(engine)}`), engine === 'none' ? '' : h('code', {}, engine), h('span', { class: 'note' }, why(reason)))));
  });
  document.addEventListener('pointerdown', ({ target }) => chip.contains(target) || chip.removeAttribute('open'));
  chip.addEventListener('keydown', (event) => event.key === 'Escape' && chip.removeAttribute('open'));
  return chip;
}

// 'riffusion: not installed: diffusers → embedded': each engine that was passed over with its reason, then the one taken, whose
// name stands before it already.
const why = (reason) => {
  const passed = reason.split(' → ');
  if (passed.length > 1) passed.pop();
  return passed.map((part) => {
    const [, name, missing] = /^([\w-]+): (.*)$/s.exec(part) ?? [];
    return name ? `${engineName(name)}: ${translated(missing).replace('; --device cpu insists', '')}` : translated(part); // no word of the shell's
  }).join(' · ');
};
