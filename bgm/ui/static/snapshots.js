// Named states of the project to go back to.
import { button, h, reconcile, setText } from './dom.js';
import { ask, isBusy, say, store, subscribe } from './store.js';
import { language, t } from './texts.js';

const LONGEST = window.bgm.name_length;

export function snapshotsRoom() {
  const name = h('input', { type: 'text', maxlength: LONGEST, 'aria-label': t('snapshot_name') });
  const save = h('button', { class: 'btn primary' }, t('snapshot_save'));
  const form = h('form', { class: 'row' }, name, save);
  const list = h('ol', { 'aria-label': t('snapshots') });
  const none = h('p', { class: 'note' }, t('snapshots_none'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await ask('snapshot', { act: 'save', name: name.value.trim() || name.placeholder })) name.value = '';
  });
  subscribe(['view', 'job'], () => {
    const { snapshots = [], analyzed } = store.view;
    name.placeholder = t('snapshot_example', { n: snapshots.length + 1 });
    name.disabled = save.disabled = !analyzed || isBusy();
    none.hidden = snapshots.length > 0;
    reconcile(list, [...snapshots].reverse(), (one) => one.name, row, update);
  });
  return h('div', { class: 'snapshots-room' }, h('p', { class: 'note' }, t('snapshots_hint')), form, none, list);
}

const moment = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });

function row({ name }) {
  const when = h('span', { class: 'note' });
  const back = h('button', { type: 'button', class: 'btn', 'aria-label': t('snapshot_restore_named', { name }), onclick: () => restore(name) }, t('snapshot_restore'));
  const gone = button('close', t('snapshot_remove', { name }), () => remove(gone, name));
  return Object.assign(h('li', { class: 'row' }, h('b', { title: name }, name), when, h('span', { class: 'grow' }), back, gone), { when, back, gone });
}

function update(element, { saved }) {
  setText(element.when, moment.format(new Date(saved)));
  element.back.disabled = element.gone.disabled = isBusy();
}

async function restore(name) {
  if (await ask('snapshot', { act: 'restore', name })) say(t('snapshot_restored', { name }));
}

// A deletion can't be undone: the second press deletes.
function remove(element, name) {
  if (element.dataset.sure) {
    ask('snapshot', { act: 'remove', name });
    return;
  }
  element.dataset.sure = 'true';
  element.replaceChildren(t('snapshot_sure'));
  element.addEventListener('blur', () => element.isConnected && reset(element), { once: true });
}

function reset(element) {
  delete element.dataset.sure;
  element.replaceChildren(button('close', '', null).firstChild);
}
