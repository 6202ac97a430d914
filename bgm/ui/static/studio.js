// The work place: player, timeline, segment, transcript, result. Python sets the view; edits go to its functions.
import { h } from './dom.js';
import { panelRoom } from './panel.js';
import { playerRoom } from './player.js';
import { notesRoom, resultRoom } from './result.js';
import { exportsRoom, settingsRoom } from './settings.js';
import { setView, store, subscribe } from './store.js';
import { timeline } from './timeline/timeline.js';
import { transcriptRoom } from './transcript.js';
import { t } from './texts.js';

export function mount({ element, props, watch, server }) {
  store.server = server;
  const root = element.querySelector('.bgm-studio');
  const waiting = h('section', { class: 'invite card' }, h('p', {}, t('invite')));
  const later = [timeline(), transcriptRoom()];
  root.replaceChildren(playerRoom(), panelRoom(), waiting, ...later,
    h('div', { class: 'side' }, settingsRoom(), exportsRoom()), resultRoom(), notesRoom());
  subscribe(['view'], () => {
    root.dataset.analyzed = String(Boolean(store.view.analyzed));
    for (const room of later) room.inert = !store.view.analyzed; // it has its place, so that nothing moves when it is filled
  });
  watch('value', () => setView(props.value));
  setView(props.value);
}
