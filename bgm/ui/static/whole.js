// What is wished of all the music: style, energy, the creator's own words, and another piece. A slim row over the timeline.
import { button, h, setText } from './dom.js';
import { reading } from './panel.js';
import { save } from './settings.js';
import { isBusy, store, subscribe } from './store.js';
import { styleName, t } from './texts.js';

const { controls } = window.bgm;
const { min, max } = controls.seed;

export function wholeRoom() {
  const style = choice('style', styleName);
  const energy = choice('energy', (own) => t(`energy_${own}`));
  const words = h('input', { type: 'text', maxlength: controls.words.longest, placeholder: t('words_hint') });
  const read = h('p', { class: 'note read', role: 'status' });
  const piece = h('input', { type: 'number', min, max, step: '1', placeholder: t('own_piece') });
  const shuffle = button('dice', t('shuffle'), () => save('seed', Math.floor(Math.random() * (max + 1))), { text: t('shuffle') });
  words.addEventListener('change', () => save('words', words.value.trim().replace(/\s+/g, ' ')));
  piece.addEventListener('change', () => save('seed', piece.value === '' ? 'auto' : Math.min(max, Math.max(min, Math.round(Number(piece.value))))));
  subscribe(['view', 'job'], () => {
    const { settings, words: told } = store.view;
    if (!settings) return;
    for (const field of [style, energy, words, piece, shuffle]) (field.input ?? field).disabled = isBusy();
    style.input.value = settings.style;
    energy.input.value = settings.energy;
    if (document.activeElement !== words) words.value = settings.words;
    if (document.activeElement !== piece) piece.value = settings.seed === 'auto' ? '' : settings.seed;
    setText(read, reading({ prompt: settings.words, ...told }));
    words.classList.toggle('partly', Boolean(told.unread.length || (settings.words && told.understood?.length === 0)));
  });
  return h('section', { class: 'whole', 'aria-label': t('whole') }, h('b', { 'aria-hidden': 'true' }, t('whole')), style, energy,
    h('div', { class: 'own' }, labelled(t('words'), words), read), labelled(t('piece'), piece, 'piece'), shuffle);
}

function choice(name, called) {
  const input = h('select', {}, controls[name].choices.map((own) => h('option', { value: own }, called(own))));
  input.addEventListener('change', () => save(name, input.value));
  return Object.assign(labelled(t(`set_${name}`), input), { input });
}

function labelled(text, control, className = '') {
  return h('label', { class: className }, h('span', {}, text), control);
}
