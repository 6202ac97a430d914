// A boundary under the pointer: both neighbours and the picture follow, and Python hears of it once, at the end.
import { clampBoundary } from '../edits.js';
import { clock } from '../dom.js';
import { now, pause, player, seek } from '../playback.js';
import { commit, segments } from '../store.js';
import { snap } from './snap.js';

const ROUND = 1000;

export function draggable(strip, scale, label, line) {
  const { handles } = strip;
  let drag = null;
  const followPicture = pictureFollower();

  handles.addEventListener('pointerdown', (event) => {
    const handle = event.target.closest('.handle');
    if (!handle || event.button) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    handle.setPointerCapture(event.pointerId);
    handle.classList.add('held');
    pause();
    const index = segments().findIndex((s) => s.id === handle.dataset.key);
    drag = { handle, index, offset: scale.timeAt(event.clientX) - segments()[index].start, time: null, frame: 0, playhead: now() };
    handles.dataset.dragging = '';
  });

  handles.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const wanted = scale.timeAt(event.clientX) - drag.offset;
    const snapped = event.altKey ? { time: wanted, kind: null } : snap(wanted, scale, drag.playhead);
    drag.time = clampBoundary(segments(), drag.index, Math.round(snapped.time * ROUND) / ROUND);
    drag.snapped = Math.abs(drag.time - snapped.time) < 1 / ROUND ? snapped : { kind: null };
    drag.frame ||= requestAnimationFrame(show);
  });

  function show() {
    if (!drag) return;
    drag.frame = 0;
    strip.preview(drag.index, drag.time);
    label.show(drag.time, clock(drag.time, 2));
    line.show(drag.snapped);
    followPicture(drag.time);
  }

  function finish(keep) {
    if (!drag) return;
    cancelAnimationFrame(drag.frame);
    const { handle, index, time } = drag;
    const segment = segments()[index];
    drag = null;
    followPicture.stop();
    delete handles.dataset.dragging;
    handle.classList.remove('held');
    label.hide();
    line.hide();
    if (keep && time !== null && time !== segment.start) {
      commit({ op: 'move', id: segment.id, time });
      seek(time);
    } else strip.preview(index, segment.start);
  }

  handles.addEventListener('pointerup', () => finish(true));
  handles.addEventListener('pointercancel', () => finish(false));
  handles.addEventListener('keydown', (event) => event.key === 'Escape' && finish(false));
}

// A video that is still looking for a place gets the latest one when it has found that.
function pictureFollower() {
  let wanted = null;
  const next = () => {
    const time = wanted;
    wanted = null;
    if (time !== null) follow(time);
  };
  function follow(time) {
    const video = player();
    if (!video) return;
    if (!video.seeking) seek(time);
    else {
      wanted = time;
      video.addEventListener('seeked', next, { once: true });
    }
  }
  follow.stop = () => {
    wanted = null;
  };
  return follow;
}
