// The ruler, the film and the seven emotion curves on a canvas: each utterance's scores hold while it is spoken, in the colours of the
// blocks. A dark edge around the bright ones keeps them apart from a light ground.
import { clock } from '../dom.js';
import { EMOTIONS } from '../store.js';
import { fitted } from './canvas.js';
import { ticks } from './scale.js';

const HEIGHT = 104;
const WITH_FILM = 118;
const RULER = 20;
const GAP = [6, 5]; // pixels above and below the curves
const JOINED = 4; // seconds of silence over which two utterances are still joined by a faint line
const FAINT = 0.12;
const SHOWN = 0.02; // a share below this lies on the ground with all the others

export class Curves {
  constructor(canvas, scale, film) {
    this.canvas = canvas;
    this.scale = scale;
    this.film = film;
    this.utterances = [];
    this.highlighted = null;
  }

  draw() {
    this.height = this.film.height ? WITH_FILM : HEIGHT;
    const { context, style } = fitted(this.canvas, this.scale.width, this.height);
    this.drawRuler(context, style);
    this.film.draw(context, RULER, style.colour('speech'));
    const [from, to] = this.scale.range;
    const seen = this.utterances.filter(({ start, end, scores }) => scores && end >= from - JOINED && start <= to + JOINED);
    const edge = style.colour('curve-edge');
    EMOTIONS.forEach((emotion, index) => {
      context.globalAlpha = !this.highlighted || this.highlighted === emotion ? 1 : FAINT;
      const dash = style.colour(`dash-${emotion}`).split(' ').map(Number).filter(Boolean);
      this.drawCurve(context, seen, index, { color: style.colour(`fill-${emotion}`), edge, dash });
    });
    context.globalAlpha = 1;
  }

  highlight(emotion) {
    if (this.highlighted === emotion) return;
    this.highlighted = emotion;
    this.draw();
  }

  drawRuler(context, style) {
    const { scale } = this;
    const [from, to] = scale.range;
    const { times, digits } = ticks(from, to, scale.width);
    context.fillStyle = style.ink;
    context.font = `11px ${style.family}`;
    context.textBaseline = 'middle';
    context.strokeStyle = style.colour('border-color-primary');
    context.beginPath();
    for (const time of times) {
      const x = Math.round(scale.seenX(time)) + 0.5;
      const label = clock(time, digits);
      if (x + 4 + context.measureText(label).width <= scale.width) context.fillText(label, x + 4, RULER / 2);
      context.moveTo(x, 4);
      context.lineTo(x, this.height);
    }
    context.lineWidth = 1;
    context.stroke();
  }

  drawCurve(context, seen, index, { color, edge, dash }) {
    const top = RULER + this.film.height + GAP[0];
    const bottom = this.height - GAP[1];
    const held = new Path2D();
    const joined = new Path2D();
    let before = null;
    for (const { start, end, scores } of seen) {
      const y = bottom - scores[index] * (bottom - top);
      const [x, until] = [this.scale.seenX(start), this.scale.seenX(end)];
      if (scores[index] >= SHOWN) {
        held.moveTo(x, y);
        held.lineTo(Math.max(until, x + 1), y);
      }
      if (before && start - before.end <= JOINED && Math.max(before.share, scores[index]) >= SHOWN) {
        joined.moveTo(before.x, before.y);
        joined.lineTo(x, y);
      }
      before = { end, x: until, y, share: scores[index] };
    }
    const shown = context.globalAlpha;
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.globalAlpha = shown * 0.45;
    context.stroke(joined);
    context.globalAlpha = shown;
    if (edge !== 'none') stroke(context, held, edge, 4.5, []);
    stroke(context, held, color, 3, dash);
  }

  // What is read at a time, strongest first.
  at(time) {
    const found = this.utterances.find(({ start, end, scores }) => scores && time >= start && time < end);
    return found ? EMOTIONS.map((emotion, i) => [emotion, found.scores[i]]).sort((a, b) => b[1] - a[1]) : [];
  }
}

function stroke(context, path, color, width, dash) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke(path);
  context.setLineDash([]);
}
