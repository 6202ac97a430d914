// The picture in a row under the ruler, its frames as close as the zoom has room for. Python makes them aside, sheet by sheet.
import { fetched } from '../dom.js';

const { steps: STEPS, cells: CELLS } = window.bgm.film;
const HEIGHT = 34;
const CALM = 120; // milliseconds without another zoom or scroll, before sheets are asked for
const AGAIN = 600; // milliseconds until one that is being made is asked for again
const TRIES = 100;
const LATER = 'later'; // it is being made
const KEPT = 60; // sheets: about 500 kB each

export class Film {
  constructor(scale, redraw) {
    Object.assign(this, { scale, redraw, address: null, sheets: new Map(), wanted: new Set(), timer: 0, ratio: 16 / 9 });
  }

  // Nothing for a sound without a picture.
  get height() {
    return this.address ? HEIGHT : 0;
  }

  open(address) {
    if (address === this.address) return;
    Object.assign(this, { address, sheets: new Map(), wanted: new Set() });
  }

  draw(context, top, ground) {
    if (!this.address) return;
    const { scale } = this;
    const [from, to] = scale.range;
    const fits = STEPS.findIndex((seconds) => scale.x(seconds) >= (HEIGHT - 2) * this.ratio);
    const step = fits < 0 ? STEPS.length - 1 : fits;
    const seconds = STEPS[step];
    this.wanted = new Set();
    context.fillStyle = ground;
    for (let n = Math.floor(from / seconds); n * seconds < Math.min(to, scale.duration); n += 1) {
      const left = scale.seenX(n * seconds);
      const right = scale.seenX(Math.min((n + 1) * seconds, scale.duration));
      const found = this.find(step, n);
      if (found) cover(context, found, [left, top, right - left, HEIGHT - 2]);
      else context.fillRect(left, top, right - left - 1, HEIGHT - 2);
    }
    clearTimeout(this.timer);
    if (this.wanted.size) this.timer = setTimeout(() => this.ask(), CALM);
  }

  // The frame that was asked for, or meanwhile the nearest of those that are farther apart.
  find(step, n) {
    const time = (n + 0.5) * STEPS[step];
    for (let s = step; s < STEPS.length; s += 1) {
      const at = s === step ? n : Math.floor(time / STEPS[s]);
      const key = `${s}/${Math.floor(at / CELLS)}`;
      const sheet = this.sheets.get(key);
      if (sheet?.width) return { sheet, cell: at % CELLS };
      if (s === step && sheet === undefined) this.wanted.add(key);
    }
    return null;
  }

  ask() {
    for (const key of this.wanted) {
      this.sheets.set(key, null); // on its way
      this.load(this.address, key);
    }
  }

  async load(address, key, tries = 0) {
    const [path, version] = address.split('?');
    const sheet = await fetched(`${path}/${key}?${version}`, sheetOf);
    if (address !== this.address || !sheet) return;
    if (sheet !== LATER) this.keep(key, sheet);
    else if (tries < TRIES) setTimeout(() => this.load(address, key, tries + 1), AGAIN);
  }

  keep(key, sheet) {
    this.sheets.set(key, sheet);
    this.ratio = sheet.width / CELLS / sheet.height;
    const made = [...this.sheets].filter(([, one]) => one);
    for (const [old, one] of made.slice(0, Math.max(0, made.length - KEPT))) {
      this.sheets.delete(old);
      one.close();
    }
    this.redraw();
  }
}

const sheetOf = async (answer) => (answer.status === 202 ? LATER : createImageBitmap(await answer.blob()));

// A cell fills its place; what stands over is cut off evenly.
function cover(context, { sheet, cell }, [left, top, width, height]) {
  const across = sheet.width / CELLS;
  const scale = Math.max(width / across, height / sheet.height);
  const [w, h] = [width / scale, height / scale];
  context.drawImage(sheet, cell * across + (across - w) / 2, (sheet.height - h) / 2, w, h, left, top, width - 1, height);
}
