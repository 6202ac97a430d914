// The editor: player, panel and timeline on one screen, the sheets over them. Python sets the view; edits go to its functions.
import { h } from './dom.js';
import { playerRoom } from './player.js';
import { notesRoom, resultRoom } from './result.js';
import { exportsRoom, settingsRoom } from './settings.js';
import { sheet } from './sheet.js';
import { stepButton } from './steps.js';
import { setView, store, subscribe } from './store.js';
import { panelRoom } from './tabs.js';
import { timeline } from './timeline/timeline.js';
import { t } from './texts.js';

export function mount({ element, props, watch, server }) {
  store.server = server;
  const root = element.querySelector('.bgm-studio');
  const later = [panelRoom(), timeline()];
  root.replaceChildren(playerRoom(), ...later, h('p', { class: 'invite' }, t('invite')),
    sheet('settings', t('settings'), settingsRoom()),
    sheet('export', t('export'), stepButton('render'), resultRoom(), notesRoom(), exportsRoom()));
  subscribe(['view'], () => {
    root.dataset.analyzed = String(Boolean(store.view.analyzed));
    for (const room of later) room.inert = !store.view.analyzed; // it has its place, so that nothing moves when it is filled
  });
  watch('value', () => setView(props.value));
  setView(props.value);
}
