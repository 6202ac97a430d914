// The empty page: what happens here, and the ways in. Gradio's drop area comes after it.
import { button, h } from './dom.js';
import { pick } from './panel.js';
import { forget, recentRoom, remember } from './recent.js';
import { showcase } from './showcase.js';
import { setJob, store, subscribe, want } from './store.js';
import { t } from './texts.js';

const OPEN = 'bgm-project'; // the project that a reload opens again
const STEPS = ['tab_transcript', 'timeline', 'export']; // what the editor calls them

export function mount({ element, props, trigger, server }) {
  const root = element.querySelector('.bgm-start');
  refuseOthers(props.value.max_mb);
  nameDropArea(element.closest('#bgm-landing'));
  document.documentElement.style.setProperty('--drop-words', JSON.stringify(t('drop_label')));
  store.open = (id) => {
    want(id);
    trigger('open', { id });
  };
  const sample = props.value.sample && showcase(props.value.sample, () => trigger('sample'));
  root.replaceChildren(
    h('div', { class: 'hero' }, h('h2', {}, t('hero')), h('p', {}, t('hero_more'))),
    sample?.element ?? '',
    h('div', { class: 'ways' },
      sample ? '' : button('film', t('try_sample'), () => trigger('sample'), { text: t('try_sample'), class: 'btn primary' }),
      button('upload', t('open_project'), () => pick('#bgm-open-project'), { text: t('open_project') }),
      h('p', { class: 'note' }, t('long_video'), ' ', t('privacy', { hours: props.value.keep_hours }))),
    recentRoom(server),
    h('ol', { class: 'how' }, STEPS.map((name) => h('li', {}, h('b', {}, t(name)), h('span', {}, t(`how_${name}`))))));
  subscribe(['view'], () => {
    const isHere = !store.view.id;
    document.body.dataset.bgm = isHere ? 'start' : 'work';
    if (isHere) sample?.begin();
    else sample?.rest();
    if (isHere) return;
    localStorage.setItem(OPEN, store.view.id);
    remember(store.view);
  });
  subscribe(['job'], () => {
    if (store.job.state !== 'failed' || store.job.kind !== 'start') return;
    if (!store.view.id) leave(); // it is gone: said once
    forget(store.job.project);
  });
}

// Gradio draws its drop area later than this, and anew after each upload.
function nameDropArea(landing) {
  const name = () => landing.querySelectorAll('#bgm-drop :is(button, input)').forEach((part) => part.setAttribute('aria-label', t('drop_label')));
  new MutationObserver(name).observe(landing, { childList: true, subtree: true });
  name();
}

// What can be seen at once to be no video, sound or subtitles is refused before it is sent, in our own words; Gradio's drop
// area hears of it no more. A type that the browser doesn't know is the server's to judge.
const OTHER = /^(image|text|font)\/|^application\/(pdf|json|zip|gzip|xml|msword|vnd\.(ms-|openxml|oasis))/;
const OURS = /\.(srt|vtt|ts|mts|m2ts)$/i;

function refuseOthers(maxMb) {
  for (const kind of ['change', 'drop']) {
    window.addEventListener(kind, (event) => {
      if (!event.target.closest?.('#bgm-drop')) return;
      const error = refusal([...((event.dataTransfer ?? event.target).files ?? [])], maxMb);
      if (!error) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (kind === 'change') event.target.value = '';
      setJob({ state: 'failed', kind: 'start', error });
    }, { capture: true });
  }
}

function refusal(files, maxMb) {
  const other = files.find(({ type, name }) => OTHER.test(type) && !OURS.test(name));
  if (other) return t('wrong_type', { name: other.name });
  const large = files.find(({ size }) => size > maxMb * 2 ** 20);
  return large && t('too_large', { name: large.name, n: maxMb });
}

// The creator went back to the start.
export function leave() {
  localStorage.removeItem(OPEN);
}
