// The panel beside the video: what is said and the selected segment, one at a time. On a phone it is a sheet below, of which
// the tabs are always seen.
import { h } from './dom.js';
import { segmentRoom } from './panel.js';
import { store, subscribe } from './store.js';
import { t } from './texts.js';
import { transcriptRoom } from './transcript/transcript.js';

let show = () => {};
export const showTab = (name) => show(name);

export function panelRoom() {
  const rooms = { transcript: transcriptRoom(), segment: segmentRoom() };
  const tabs = Object.keys(rooms).map((name) => h('button', {
    type: 'button', role: 'tab', id: `bgm-tab-${name}`, 'aria-controls': `bgm-room-${name}`, 'data-tab': name, onclick: () => tap(name),
  }, t(`tab_${name}`)));
  for (const [name, room] of Object.entries(rooms)) {
    for (const [key, value] of Object.entries({ role: 'tabpanel', id: `bgm-room-${name}`, 'aria-labelledby': `bgm-tab-${name}` })) room.setAttribute(key, value);
  }
  const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': t('panel') }, tabs);
  const head = h('div', { class: 'tabs-row' }, list, rooms.transcript.tools);
  const panel = h('section', { class: 'panel card', 'aria-label': t('panel'), 'data-open': 'false' }, head, Object.values(rooms));
  let shown = null;
  show = (name) => {
    shown = name;
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab.dataset.tab === name));
      tab.tabIndex = tab.dataset.tab === name ? 0 : -1;
      rooms[tab.dataset.tab].hidden = tab.dataset.tab !== name;
    }
    rooms.transcript.tools.hidden = name !== 'transcript';
  };
  const tap = (name) => {
    panel.dataset.open = String(panel.dataset.open === 'false' || shown !== name);
    show(name);
  };
  list.addEventListener('keydown', (event) => walk(event, tabs));
  document.addEventListener('keydown', (event) => {
    const isReplace = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'h';
    if (!isReplace || event.defaultPrevented || !panel.checkVisibility() || panel.inert) return;
    event.preventDefault();
    panel.dataset.open = 'true';
    show('transcript');
    rooms.transcript.find();
  });
  addEventListener('resize', () => {
    if (rooms[shown].contains(document.activeElement)) panel.dataset.open = 'true'; // nobody is shut out while typing
  });
  show('transcript');
  subscribe(['job'], () => {
    if (store.job.state === 'failed' && rooms[store.job.kind]) show(store.job.kind); // what went wrong is told there
  });
  return panel;
}

function walk(event, tabs) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const next = tabs.at((tabs.indexOf(event.target) + by) % tabs.length);
  next.focus();
  showTab(next.dataset.tab);
}
