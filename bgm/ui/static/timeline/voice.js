// What is said and how loud, under the curves: the utterances as blocks with their words, the voice as a waveform.
import { fetched } from '../dom.js';
import { fitted, shortened, wave } from './canvas.js';

const WORDS_HEIGHT = 24;
const WAVE_HEIGHT = 30;
const LEAST = 30; // pixels from which on words are written

export class Voice {
  constructor(canvas, scale) {
    this.canvas = canvas;
    this.scale = scale;
    this.peaks = [];
    this.address = null;
    this.utterances = [];
    this.held = null; // a line that is shown at other times while one of its edges is dragged
  }

  async load(address) {
    if (address === this.address) return;
    this.address = address;
    this.peaks = [];
    if (!address) return;
    const peaks = await fetched(address);
    if (this.address === address) this.peaks = peaks ?? [];
    this.draw();
  }

  draw() {
    const { context, style } = fitted(this.canvas, this.scale.width, WORDS_HEIGHT + WAVE_HEIGHT);
    this.drawWords(context, style);
    if (!this.peaks.length) return;
    const { scale } = this;
    const [from] = scale.range;
    context.fillStyle = style.colour('wave');
    wave(context, this.peaks, [0, scale.width], WORDS_HEIGHT + WAVE_HEIGHT / 2, WAVE_HEIGHT / 2 - 2, (x) => (from + scale.seconds(x)) / scale.duration);
  }

  drawWords(context, style) {
    const { scale } = this;
    const [from, to] = scale.range;
    const ground = style.colour('speech');
    context.font = `11px ${style.family}`;
    context.textBaseline = 'middle';
    this.utterances.forEach(({ start, end, text }, index) => {
      if (index === this.held?.index) ({ start, end } = this.held);
      if (end < from || start > to) return;
      const x = scale.seenX(start);
      const width = Math.max(2, scale.seenX(end) - x - 1.5);
      context.fillStyle = ground;
      context.fillRect(x, 2, width, WORDS_HEIGHT - 5);
      if (width <= LEAST) return;
      context.fillStyle = style.ink;
      const left = Math.max(4, x + 5);
      context.fillText(shortened(context, text, x + width - 4 - left), left, WORDS_HEIGHT / 2);
    });
  }
}
