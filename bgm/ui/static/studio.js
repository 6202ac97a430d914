// The editor: player, panel and timeline on one screen, the sheets over them. Python sets the view; edits go to its functions.
import { isBrokenOff, keepCurrent } from './current.js';
import { h, setText } from './dom.js';
import { exportRoom } from './export.js';
import { keepFocus } from './focus.js';
import { keepHistory } from './history.js';
import { playerRoom } from './player.js';
import { keepAside } from './recent.js';
import { settingsRoom } from './settings.js';
import { sheet } from './sheet.js';
import { parsed, setView, store, subscribe } from './store.js';
import { snapshotsRoom } from './snapshots.js';
import { panelRoom } from './tabs.js';
import { scriptSheet } from './transcript/script.js';
import { timeline } from './timeline/timeline.js';
import { keyHints, t } from './texts.js';
import { wholeRoom } from './whole.js';

export function mount({ element, props, watch, server }) {
  store.server = server;
  const root = element.querySelector('.bgm-studio');
  const later = [panelRoom(), wholeRoom(), timeline()];
  root.replaceChildren(playerRoom(), ...later, invitation(),
    sheet('settings', t('settings'), settingsRoom()),
    sheet('shortcuts', t('keys'), h('ul', { class: 'all-keys' }, keyHints().map(([key, what]) => h('li', {}, h('kbd', {}, key), h('span', {}, what))))),
    sheet('snapshots', t('snapshots'), snapshotsRoom()),
    sheet('export', t('export'), ...exportRoom()), scriptSheet());
  subscribe(['view'], () => {
    root.dataset.analyzed = String(Boolean(store.view.analyzed));
    root.dataset.words = String(Boolean(store.view.utterances?.length)); // they come while the analysis goes on
    for (const room of later) room.inert = !store.view.analyzed; // it has its place, so that nothing moves when it is filled
  });
  keepFocus(root);
  keepCurrent();
  keepHistory();
  const show = () => {
    const view = parsed(props.value);
    if (!setView(view) && view.is_new) keepAside(view); // it was sent before the creator opened another
  };
  watch('value', show);
  show();
}

const LONG = 5 * 60; // seconds: until then one waits
const SHARE = 0.4; // of a video's length that all takes on two processor cores (README, figures)

// What happens while there is nothing to see yet, and how long that may be.
function invitation() {
  const what = h('span', {});
  const wait = h('span', {});
  const again = h('button', { type: 'button', class: 'btn', onclick: () => store.run('analyze') }, t('do_analyze'));
  subscribe(['view', 'job'], () => {
    const { duration = 0 } = store.view;
    const isOff = isBrokenOff();
    setText(what, t(isOff ? 'invite_again' : 'invite'));
    wait.hidden = isOff;
    again.hidden = !isOff;
    setText(wait, duration > LONG ? t('invite_long', { minutes: Math.round(duration / 60), n: Math.ceil((SHARE * duration) / 60) }) : '');
  });
  return h('p', { class: 'invite' }, what, ' ', wait, again);
}
