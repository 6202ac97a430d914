// The words of the page. t('count_of', {k: 3, n: 7}) fills {k} and {n}.
import { fetched } from './dom.js';

const address = new URL(`./texts.${window.bgm.language}.json`, import.meta.url);
const texts = await loaded(address);

// A server that is busy may turn one request away; a page without its words is no page.
async function loaded(from, tries = 5) {
  const words = await fetched(from);
  if (words) return words;
  if (tries === 1) throw new Error(`${from.pathname} could not be read`);
  await new Promise((resolve) => setTimeout(resolve, 400));
  return loaded(from, tries - 1);
}

export const language = window.bgm.language;

export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// What the server says, in the reader's language. It speaks English; sentences.<language>.json has its sentences with {} for
// what changes in them, and one that it lacks is shown as it came.
const sentences = language === 'en' ? [] : Object.entries(await loaded(new URL(`./sentences.${language}.json`, import.meta.url)))
  .map(([english, own]) => [new RegExp(`^${english.split('{}').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.+?)')}$`, 's'), own])
  .sort(([one], [other]) => other.source.length - one.source.length);

// As a sentence: with a capital, but for one that begins with the name of a file.
export function said(sentence) {
  const text = translated(sentence);
  return /^[^,:;]*?\.\w{2,4}\b/.test(text) ? text : text.replace(/^[a-z]/, (first) => first.toUpperCase());
}

export function translated(sentence) {
  for (const [pattern, own] of sentences) {
    const found = pattern.exec(sentence);
    if (found) return found.slice(1).reduce((text, value) => text.replace('{}', () => translated(value)), own);
  }
  return sentence;
}

// [key, what it does] of each.
export const keyHints = () => t('keys_hint').split(' · ').map((hint) => hint.split(': '));

export const emotionName = (emotion) => t(`emotion_${emotion}`);
export const styleName = (style) => t(`style_${style}`);

// An engine ('whisper:base') in plain words; one without words of its own is called by its name.
export function engineName(engine) {
  const key = `engine_${engine.split(':')[0]}`;
  return has(key) ? t(key) : engine;
}

export function has(key) {
  return key in texts;
}

export function chooseLanguage(wanted) {
  localStorage.setItem('bgm-language', wanted);
  location.reload();
}
