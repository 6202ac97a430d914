// What is said and how loud, under the curves: the utterances as blocks with their words, the voice as a waveform.
const WORDS_HEIGHT = 24;
const WAVE_HEIGHT = 40;

export class Voice {
  constructor(canvas, scale) {
    this.canvas = canvas;
    this.scale = scale;
    this.peaks = [];
    this.address = null;
    this.utterances = [];
  }

  async load(address) {
    if (address === this.address) return;
    this.address = address;
    this.peaks = [];
    if (!address) return;
    const answer = await fetch(address);
    if (answer.ok && this.address === address) this.peaks = await answer.json();
    this.draw();
  }

  draw() {
    const { width } = this.scale;
    const ratio = window.devicePixelRatio || 1;
    const height = WORDS_HEIGHT + WAVE_HEIGHT;
    const { canvas } = this;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    this.drawWords(context, style);
    this.drawWave(context, style);
  }

  drawWords(context, style) {
    const [from, to] = this.scale.range;
    const perSecond = this.scale.width / (to - from);
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    for (const { start, end, text } of this.utterances) {
      if (end < from || start > to) continue;
      const x = (start - from) * perSecond;
      const width = Math.max(2, (end - start) * perSecond - 1.5);
      context.fillStyle = style.getPropertyValue('--speech').trim();
      context.fillRect(x, 2, width, WORDS_HEIGHT - 5);
      if (width > 30) write(context, text, x, width, style.color);
    }
  }

  drawWave(context, style) {
    const { peaks, scale } = this;
    if (!peaks.length) return;
    const [from, to] = scale.range;
    const middle = WORDS_HEIGHT + WAVE_HEIGHT / 2;
    const perPixel = (to - from) / scale.width;
    const perSecond = peaks.length / scale.duration;
    context.fillStyle = style.getPropertyValue('--wave').trim();
    for (let x = 0; x < scale.width; x += 2) {
      const first = Math.floor((from + x * perPixel) * perSecond);
      const last = Math.max(first + 1, Math.floor((from + (x + 2) * perPixel) * perSecond));
      let peak = 0;
      for (let i = first; i < last && i < peaks.length; i += 1) peak = Math.max(peak, peaks[i]);
      const half = Math.max(0.5, Math.sqrt(Math.min(1, peak)) * (WAVE_HEIGHT / 2 - 2));
      context.fillRect(x, middle - half, 1.4, 2 * half);
    }
  }
}

function write(context, text, x, width, color) {
  context.save();
  context.beginPath();
  context.rect(Math.max(0, x), 0, width + Math.min(0, x) - 3, WORDS_HEIGHT);
  context.clip();
  context.fillStyle = color;
  context.fillText(text, Math.max(4, x + 5), WORDS_HEIGHT / 2);
  context.restore();
}
