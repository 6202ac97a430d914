// Every gesture of the timeline as a visible button.
import { button, h } from '../dom.js';
import { EMOTIONS, selectedSegment, store, subscribe } from '../store.js';
import { emotionName, t } from '../texts.js';
import * as actions from './actions.js';

export function toolbar(zoom, highlight) {
  const buttons = {
    segment: button('play', t('play_segment'), actions.playSegment, { text: t('play_segment_short') }),
    on: button('next', t('play_on'), actions.playOn, { text: t('play_on_short') }),
    split: button('split', t('split'), actions.split, { key: 'S', text: t('split_short') }),
    merge: button('merge', t('merge'), actions.merge, { key: 'M', text: t('merge_short') }),
    remove: button('trash', t('remove'), actions.remove, { key: 'Delete' }),
    earlier: button('left', t('nudge_earlier'), () => actions.nudge(store.selected, -0.1)),
    later: button('right', t('nudge_later'), () => actions.nudge(store.selected, 0.1)),
    unsure: button('ask', t('next_unsure'), actions.nextUnsure, { key: 'U' }),
    silent: button('mute', t('silent_toggle'), () => actions.flip('silent'), { key: 'N', 'aria-pressed': 'false' }),
    locked: button('lock', t('lock_toggle'), () => actions.flip('locked'), { key: 'Shift+L', 'aria-pressed': 'false' }),
  };
  const view = [
    button('minus', t('zoom_out'), () => zoom(1 / 1.6)),
    button('plus', t('zoom_in'), () => zoom(1.6)),
    button('fit', t('zoom_fit'), () => zoom(0)),
  ];
  const emotions = EMOTIONS.map((emotion, i) => emotionButton(emotion, i + 1, highlight));
  subscribe(['view', 'selected', 'picked', 'range'], () => refresh(buttons, emotions));
  return h('div', { class: 'tools' },
    h('div', { class: 'emotions', role: 'group', 'aria-label': t('emotion_of_segment') }, emotions),
    h('div', { class: 'actions', role: 'toolbar', 'aria-label': t('edit_timeline') }, Object.values(buttons),
      h('span', { class: 'grow' }), view));
}

function emotionButton(emotion, number, highlight) {
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  line.setAttribute('viewBox', '0 0 30 4');
  line.setAttribute('preserveAspectRatio', 'xMinYMid');
  line.setAttribute('class', 'sample');
  line.innerHTML = `<path d="M0 2H30" stroke="var(--fill-${emotion})" stroke-width="3" style="stroke-dasharray: var(--dash-${emotion})"/>`;
  const label = `${emotionName(emotion)} (${number})`;
  return h('button', {
    type: 'button', class: 'emotion', title: label, 'aria-label': label, 'data-emotion': emotion, style: `--fill: var(--fill-${emotion})`,
    onclick: () => actions.setEmotion(emotion), onpointerenter: () => highlight(emotion), onpointerleave: () => highlight(null),
  }, h('kbd', { 'aria-hidden': 'true' }, String(number)), h('span', {}, emotionName(emotion)), line);
}

function refresh(buttons, emotions) {
  const segment = selectedSegment();
  const first = store.view.segments?.[0] === segment;
  const last = store.view.segments?.at(-1) === segment;
  buttons.merge.disabled = first && last;
  buttons.remove.disabled = first && last;
  buttons.earlier.disabled = first;
  buttons.later.disabled = first;
  buttons.silent.setAttribute('aria-pressed', String(Boolean(segment?.silent)));
  buttons.locked.setAttribute('aria-pressed', String(Boolean(segment?.locked)));
  for (const element of emotions) {
    element.setAttribute('aria-pressed', String(!store.range && element.dataset.emotion === segment?.emotion));
  }
}
