// The words of the page. t('segment_of', {k: 3, n: 7}) fills {k} and {n}.
const address = new URL(`./texts.${window.bgm.language}.json`, import.meta.url);
const texts = await (await fetch(address)).json();

export const language = window.bgm.language;

export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const emotionName = (emotion) => t(`emotion_${emotion}`);

export function has(key) {
  return key in texts;
}

export function chooseLanguage(wanted) {
  localStorage.setItem('bgm-language', wanted);
  location.reload();
}
