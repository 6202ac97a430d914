// What the canvases of the timeline share: sharp on any screen, words with an ellipsis.
export function fitted(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, style: styleOf(canvas) };
}

let styles = new WeakMap();

// Colours and letters as the style sheets have them, asked for once: each asking would settle the page's styles.
function styleOf(canvas) {
  if (!styles.has(canvas)) {
    const computed = getComputedStyle(canvas);
    const known = new Map();
    const colour = (name) => known.get(name) ?? known.set(name, computed.getPropertyValue(`--${name}`).trim()).get(name);
    styles.set(canvas, { ink: computed.color, family: computed.fontFamily, colour });
  }
  return styles.get(canvas);
}

// The page has another theme.
export function forgetStyles() {
  styles = new WeakMap();
}

// As much of `text` as has room, shortened with an ellipsis.
export function shortened(context, text, room) {
  const { width } = context.measureText(text);
  if (width <= room) return text;
  const head = (length) => `${text.slice(0, length).trimEnd()}…`;
  const fits = (length) => context.measureText(head(length)).width <= room;
  // Letters are about as wide as each other: from a guess it is a step or two, where halving would take six or seven.
  let length = Math.min(text.length, Math.floor((room / width) * text.length));
  while (length > 0 && !fits(length)) length -= 1;
  while (length < text.length && fits(length + 1)) length += 1;
  return length ? head(length) : '';
}

// Peaks (0 to 1) as a symmetric wave from `left` to `right` around `middle`; `share(x)` is the place in the peaks, 0 to 1,
// `level(x)` how much of them is heard.
export function wave(context, peaks, [left, right], middle, half, share, level = () => 1) {
  for (let x = Math.floor(left); x < right; x += 2) {
    const first = Math.floor(share(x) * peaks.length);
    const last = Math.max(first + 1, Math.floor(share(x + 2) * peaks.length));
    let peak = 0;
    for (let i = Math.max(0, first); i < last && i < peaks.length; i += 1) peak = Math.max(peak, peaks[i]);
    const height = Math.max(0.5, Math.sqrt(Math.min(1, peak * level(x))) * half);
    context.fillRect(x, middle - height, 1.4, 2 * height);
  }
}
