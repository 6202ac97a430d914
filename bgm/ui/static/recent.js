// This browser's projects, the last one first: when each was open and what goes on in it. Nobody else knows of them, and the server
// keeps none of them longer for being listed here.
import { clock, h, reconcile, setText } from './dom.js';
import { say, store, subscribe } from './store.js';
import { language, t } from './texts.js';

const KNOWN = 'bgm-recent';
const MOST = 200; // that are remembered
const FEW = 6; // that are shown at first
const LOOK = 2000; // milliseconds between two looks at what goes on
const WHEN = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

const known = () => JSON.parse(localStorage.getItem(KNOWN) ?? '[]');
const write = (all) => localStorage.setItem(KNOWN, JSON.stringify(all.slice(0, MOST)));
const others = (id) => known().filter((one) => one.id !== id);
let noted = ''; // what is written already: a view comes with every edit

export function remember({ id, title, duration, media }) {
  const poster = media?.poster ?? null;
  if (noted === `${id} ${poster}`) return;
  noted = `${id} ${poster}`;
  write([{ id, title, duration, poster, opened: Date.now() }, ...others(id)]);
}

export function forget(id) {
  write(others(id));
  redraw();
}

// A video that was sent before the creator opened another project waits in the list.
export function keepAside({ id, title, duration, media }) {
  write([{ id, title, duration, poster: media?.poster ?? null, opened: Date.now() }, ...others(id)]);
  redraw();
  say(t('kept_aside', { title }));
}

let redraw = () => {};

export function recentRoom(server) {
  const list = h('div', { class: 'list' });
  const more = h('button', { type: 'button', class: 'all', onclick: () => showAll() });
  const room = h('section', { class: 'recent', 'aria-label': t('recent') }, h('h3', {}, t('recent')), list, more);
  const jobs = new Map(); // by project: the step that goes on in it
  let isShort = true;
  let timer = 0;
  const showAll = () => {
    isShort = false;
    redraw();
  };
  redraw = () => {
    const all = known();
    room.hidden = !all.length;
    more.hidden = !isShort || all.length <= FEW;
    setText(more, t('recent_all', { n: all.length }));
    reconcile(list, isShort ? all.slice(0, FEW) : all, (one) => one.id, makeRow, (row, one) => row.show(one, jobs.get(one.id)));
  };
  const look = async () => {
    clearTimeout(timer);
    const all = known();
    if (store.view.id || document.hidden || !all.length) return;
    const here = await server.recent({ projects: all.map(({ id }) => id) }).catch(() => null);
    if (here) {
      const gone = new Set(all.map(({ id }) => id).filter((id) => !(id in here)));
      if (gone.size) write(known().filter(({ id }) => !gone.has(id)));
      jobs.clear();
      for (const [id, job] of Object.entries(here)) jobs.set(id, job);
      redraw();
    }
    clearTimeout(timer);
    if (!here || [...jobs.values()].some(Boolean)) timer = setTimeout(look, LOOK);
  };
  let shown;
  subscribe(['view'], () => {
    if (shown === store.view.id) return;
    shown = store.view.id;
    noted = '';
    if (shown) return;
    isShort = true;
    redraw();
    look();
  });
  document.addEventListener('visibilitychange', look);
  return room;
}

function makeRow({ id }) {
  const picture = h('img', { alt: '', loading: 'lazy' });
  const [title, when, doing] = [h('b', {}), h('span', { class: 'note' }), h('span', { class: 'note going' })];
  const row = h('button', { type: 'button', class: 'btn', onclick: () => store.open(id) }, h('span', { class: 'picture' }, picture), h('span', { class: 'about' }, title, when, doing));
  picture.addEventListener('error', () => picture.removeAttribute('src'));
  row.show = (one, job) => {
    const opened = one.opened ? WHEN.format(one.opened) : '';
    if (one.poster && picture.getAttribute('src') !== one.poster) picture.src = one.poster;
    setText(title, one.title);
    setText(when, [clock(one.duration, 0), opened].filter(Boolean).join(' · '));
    setText(doing, job ? t(`now_${job.kind}`, { n: Math.round(100 * (job.overall ?? 0)) }) : '');
    doing.hidden = !job;
    row.title = opened ? `${one.title}\n${t('last_opened', { when: opened })}` : one.title;
  };
  return row;
}
