// The empty page: what happens here, and the ways in. Gradio's drop area comes after it.
import { button, clock, h } from './dom.js';
import { pick } from './panel.js';
import { store, subscribe } from './store.js';
import { t } from './texts.js';

const MOST_RECENT = 5;

export function mount({ element, props, trigger }) {
  const root = element.querySelector('.bgm-start');
  const recent = h('div', { class: 'recent' });
  let opening = null;
  const open = (id) => {
    opening = id;
    trigger('open', { id });
  };
  root.replaceChildren(
    h('div', { class: 'hero' }, h('h2', {}, t('hero')), h('ol', { class: 'how' }, ['how_1', 'how_2', 'how_3'].map((key) => h('li', {}, t(key))))),
    h('div', { class: 'ways' },
      button('film', t('try_sample'), () => trigger('sample'), { text: t('try_sample'), class: 'btn primary' }),
      button('upload', t('open_project'), () => pick('#bgm-open-project'), { text: t('open_project') }),
      h('p', { class: 'note' }, t('privacy', { hours: props.value.keep_hours }))),
    recent);
  subscribe(['view'], () => {
    document.body.dataset.bgm = store.view.id ? 'work' : 'start';
    if (store.view.id) remember(store.view);
    drawRecent(recent, open);
  });
  subscribe(['job'], () => {
    if (store.job.state !== 'failed' || store.job.kind !== 'start' || !opening) return;
    forget(opening);
    drawRecent(recent, open);
  });
}

function recentProjects() {
  return JSON.parse(localStorage.getItem('bgm-recent') ?? '[]');
}

function remember({ id, title, duration }) {
  const others = recentProjects().filter((one) => one.id !== id);
  localStorage.setItem('bgm-recent', JSON.stringify([{ id, title, duration }, ...others].slice(0, MOST_RECENT)));
}

function forget(id) {
  localStorage.setItem('bgm-recent', JSON.stringify(recentProjects().filter((one) => one.id !== id)));
}

function drawRecent(element, open) {
  const known = recentProjects();
  element.hidden = !known.length;
  element.replaceChildren(h('h3', {}, t('recent')), ...known.map((one) =>
    h('button', { type: 'button', class: 'btn', onclick: () => open(one.id) }, h('span', {}, one.title), h('span', { class: 'note' }, clock(one.duration, 0)))));
}
