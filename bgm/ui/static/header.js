// The page's head: what this is, in one sentence; language and theme.
import { button, h } from './dom.js';
import { chooseLanguage, language, t } from './texts.js';

const NAMES = { en: 'English', ko: '한국어' };

export function mount({ element }) {
  element.querySelector('.bgm-header').replaceChildren(
    h('div', { class: 'brand' }, mark(), h('div', {}, h('h1', {}, 'BGM Studio'), h('p', {}, t('tagline')))), pageTools());
  if (localStorage.getItem('bgm-theme')) document.body.classList.toggle('dark', localStorage.getItem('bgm-theme') === 'dark');
}

// Language and theme: in the head, and in the editor's bar.
export function pageTools() {
  const languages = window.bgm.languages.map((code) =>
    h('button', { type: 'button', lang: code, 'aria-pressed': String(code === language), onclick: () => chooseLanguage(code) }, NAMES[code]));
  return h('div', { class: 'head-tools' }, h('div', { class: 'switch', role: 'group', 'aria-label': t('language') }, languages),
    button('sun', t('theme'), flipTheme));
}

function flipTheme() {
  const isDark = document.body.classList.toggle('dark');
  localStorage.setItem('bgm-theme', isDark ? 'dark' : 'light');
}

function mark() {
  const colors = ['sadness', 'neutral', 'joy', 'anger', 'fear'];
  const heights = [10, 18, 28, 16, 8];
  return h('div', { class: 'mark', 'aria-hidden': 'true' }, colors.map((c, i) => h('i', { style: `height:${heights[i]}px;background:var(--fill-${c})` })));
}
