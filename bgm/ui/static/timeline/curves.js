// The seven emotion curves, drawn by Plotly: each utterance's scores hold while it is spoken.
import { clock } from '../dom.js';
import { EMOTIONS } from '../store.js';
import { emotionName } from '../texts.js';
import { ticks } from './scale.js';

const DASHES = { anger: 'solid', disgust: 'dash', fear: 'dot', joy: 'solid', neutral: 'solid', sadness: 'dashdot', surprise: 'longdash' };
const HEIGHT = 104;
const MARGIN = { l: 0, r: 0, t: 22, b: 4 };
const LAST_SHOWN = 0.06; // a curve that never rises above this is drawn thin

let loading = null;

// Plotly is large: it is loaded when the first timeline is shown, not before the first paint.
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = new URL('../../plotly.min.js', import.meta.url).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error('plotly.min.js could not be loaded'));
    document.head.append(script);
  });
  return loading;
}

export class Curves {
  constructor(element, scale) {
    this.element = element;
    this.scale = scale;
    this.utterances = null;
    this.drawn = false;
    this.highlighted = null;
  }

  async draw(utterances) {
    this.utterances = utterances;
    const library = await plotly();
    if (!this.element.isConnected || !this.element.clientWidth) return;
    const config = { displayModeBar: false, responsive: false, doubleClick: false, scrollZoom: false };
    await library.react(this.element, this.traces(), this.layout(), config);
    this.drawn = true;
  }

  // Follow the strip: called on every frame of a scroll or zoom.
  follow() {
    if (!this.drawn) return;
    const { range, tickvals, ticktext } = this.axis();
    const changes = { 'xaxis.range': range, 'xaxis.tickvals': tickvals, 'xaxis.ticktext': ticktext };
    const isResized = this.element.layout.width !== this.scale.width;
    window.Plotly.relayout(this.element, isResized ? { ...changes, width: this.scale.width } : changes);
  }

  highlight(emotion) {
    if (!this.drawn || this.highlighted === emotion) return;
    this.highlighted = emotion;
    const opacities = EMOTIONS.map((e) => (!emotion || e === emotion ? 1 : 0.12));
    window.Plotly.restyle(this.element, { opacity: opacities });
  }

  traces() {
    const style = getComputedStyle(this.element);
    return EMOTIONS.map((emotion, index) => {
      const { x, y, peak } = curve(this.utterances, index);
      const color = style.getPropertyValue(`--line-${emotion}`).trim();
      return {
        x, y, name: emotionName(emotion), type: 'scatter', mode: 'lines',
        line: { color, width: peak > LAST_SHOWN ? 2.2 : 1, dash: DASHES[emotion] },
        opacity: 1, hovertemplate: '%{y:.0%}',
      };
    });
  }

  axis() {
    const [from, to] = this.scale.range;
    const { times, digits } = ticks(from, to, this.scale.width);
    return { range: [from, to], tickvals: times, ticktext: times.map((time) => clock(time, digits)) };
  }

  layout() {
    const style = getComputedStyle(this.element);
    const grid = style.getPropertyValue('--border-color-primary').trim();
    const ground = style.getPropertyValue('--background-fill-primary').trim();
    return {
      width: this.scale.width, height: HEIGHT, margin: MARGIN, showlegend: false, hovermode: 'x unified', dragmode: false,
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
      font: { color: style.color, size: 11, family: style.fontFamily },
      hoverlabel: { bgcolor: ground, bordercolor: grid, font: { color: style.color, size: 11 } },
      xaxis: { ...this.axis(), side: 'top', fixedrange: true, gridcolor: grid, zeroline: false, tickmode: 'array', hoverformat: '.1f', ticksuffix: '' },
      yaxis: { visible: false, fixedrange: true, range: [-0.02, 1.04] },
    };
  }
}

// The points of one emotion's curve: flat over each utterance, a gap (null) where nobody speaks for long.
function curve(utterances, index) {
  const x = [];
  const y = [];
  let peak = 0;
  let end = null;
  for (const { start, end: until, scores } of utterances) {
    if (!scores) continue;
    if (end !== null && start - end > 4) {
      x.push((start + end) / 2);
      y.push(null);
    }
    x.push(start, until);
    y.push(scores[index], scores[index]);
    peak = Math.max(peak, scores[index]);
    end = until;
  }
  return { x, y, peak };
}

export { DASHES };
