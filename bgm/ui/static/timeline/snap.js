// What a time snaps to while it is dragged: the edges of lines and words, the cuts of the picture, where the playhead stood,
// else whole seconds. What was found is shown as a line over all rows.
import { fetched, h } from '../dom.js';
import { store } from '../store.js';
import { t } from '../texts.js';

const REACH = 8; // pixels
let known = { address: null, word: [], cut: [] };

// The words' and the cuts' times of a project; without them lines and seconds are left.
export async function loadEdges(address) {
  if (address === known.address) return;
  known = { address, word: [], cut: [] };
  const edges = address && (await fetched(address));
  if (edges && known.address === address) Object.assign(known, edges);
}

// The nearest within reach, as {time, kind}; kind is null where there is none and the time stays.
export function snap(time, scale, playhead = null, among = store.view.utterances ?? []) {
  const reach = scale.seconds(REACH);
  const lines = among.filter(({ start, end }) => start <= time + reach && end >= time - reach);
  const found = [
    ...lines.flatMap(({ start, end }) => [start, end]).map((at) => ({ time: at, kind: 'line' })),
    ...near(known.word, time, reach).map((at) => ({ time: at, kind: 'word' })),
    ...near(known.cut, time, reach).map((at) => ({ time: at, kind: 'cut' })),
    ...(playhead === null ? [] : [{ time: playhead, kind: 'playhead' }]),
  ];
  return nearest(found, time, reach) ?? nearest([{ time: Math.round(time), kind: 'second' }], time, reach) ?? { time, kind: null };
}

// Of equally near ones the first counts.
export function nearest(found, time, reach) {
  const within = found.filter((one) => Math.abs(one.time - time) <= reach);
  return within.reduce((best, one) => (best && Math.abs(best.time - time) <= Math.abs(one.time - time) ? best : one), null);
}

// The times of a sorted list that lie within reach.
export function near(times, time, reach) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time - reach) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < times.length && times[end] <= time + reach) end += 1;
  return times.slice(low, end);
}

export function snapLine(scale) {
  const element = h('div', { class: 'snap-line', hidden: true, 'aria-hidden': 'true' });
  const show = ({ time, kind }) => {
    element.hidden = kind === null;
    if (kind === null) return;
    element.style.left = scale.percent(time);
    element.dataset.kind = kind;
    element.dataset.name = t(`snap_${kind}`);
  };
  return { element, show, hide: () => show({ kind: null }) };
}
