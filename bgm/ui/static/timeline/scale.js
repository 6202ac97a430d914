// Time to pixels and back, for a strip that is `zoom` times as wide as what is seen of it.
export const MIN_SPAN = 2; // seconds that are seen at the deepest zoom

export class Scale {
  constructor(scroller, inner) {
    this.scroller = scroller;
    this.inner = inner;
    this.duration = 1;
    this.zoom = 1;
    this.width = Math.max(1, scroller.clientWidth);
    this.left = 0; // how far it is scrolled, in pixels: asking the scroller for it would lay out the page each time
    scroller.addEventListener('scroll', () => {
      if (Math.abs(scroller.scrollLeft - this.left) >= 1) this.left = scroller.scrollLeft; // else it is our own, rounded
    }, { passive: true });
  }

  // The scroller has another width: what is seen of the strip is as wide, and the strip keeps its zoom.
  measure() {
    const [from] = this.range;
    this.width = Math.max(1, this.scroller.clientWidth);
    this.inner.style.setProperty('--seen', `${this.width}px`);
    this.show(this.zoom, this.x(from));
    this.place();
  }

  // The page follows: its layout is settled here, so that all else is to be written before. The width is in pixels: a
  // percentage of one that is no whole number would lie pixels off at a deep zoom.
  place() {
    if (this.isPlaced) return;
    this.isPlaced = true;
    this.inner.style.width = `${this.width * this.zoom}px`;
    this.scroller.scrollLeft = this.left;
  }

  get maxZoom() {
    return Math.max(1, this.duration / Math.min(MIN_SPAN, this.duration));
  }

  // The stretch that is seen, [from, to] in seconds.
  get range() {
    const from = this.seconds(this.left);
    return [from, from + this.duration / this.zoom];
  }

  percent(time) {
    return `${(time / this.duration) * 100}%`;
  }

  // Where a time lies, in pixels from the left end of the whole strip.
  x(time) {
    return (time / this.duration) * this.width * this.zoom;
  }

  // Where a time lies in what is seen, in pixels from its left edge.
  seenX(time) {
    return this.x(time) - this.left;
  }

  // The time under a pointer.
  timeAt(clientX) {
    const x = clientX - this.inner.getBoundingClientRect().left;
    return Math.min(this.duration, Math.max(0, (x / (this.width * this.zoom)) * this.duration));
  }

  seconds(pixels) {
    return (pixels / (this.width * this.zoom)) * this.duration;
  }

  // Zoom so that the time `offset` pixels from the left edge of what is seen stays there; `place` shows it.
  zoomAt(zoom, offset) {
    const time = Math.min(this.duration, this.seconds(this.left + offset));
    const next = Math.min(this.maxZoom, Math.max(1, zoom));
    this.show(next, (time / this.duration) * this.width * next - offset);
  }

  fit() {
    this.show(1, 0);
  }

  show(zoom, left) {
    this.zoom = zoom;
    this.left = this.within(left);
    this.isPlaced = false;
  }

  within(x) {
    return Math.min(Math.max(0, x), this.width * (this.zoom - 1));
  }

  scrollTo(x) {
    this.left = this.within(x);
    this.scroller.scrollLeft = this.left;
  }

  reveal(time) {
    const [from, to] = this.range;
    if (time < from || time > to) this.scrollTo(this.x(time) - this.width * 0.1);
  }
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

// Round times about `pixels` apart in [from, to].
export function ticks(from, to, width, pixels = 90) {
  const wanted = ((to - from) / Math.max(1, width)) * pixels;
  const step = STEPS.find((s) => s >= wanted) ?? 3600;
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to; n += 1) found.push(n * step);
  return { times: found, digits: step < 1 ? 1 : 0 };
}
