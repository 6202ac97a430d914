// Before anything is drawn: the language that was chosen last time, else the browser's own.
(() => {
  const asked = new URLSearchParams(location.search).get('lang') || localStorage.getItem('bgm-language');
  const wanted = asked || navigator.language.split('-')[0];
  window.bgm.language = window.bgm.languages.includes(wanted) ? wanted : 'en';
  // Gradio reads its own language here and offers no other way to set it.
  Object.defineProperty(navigator, 'language', { get: () => window.bgm.language, configurable: true });
  document.documentElement.lang = window.bgm.language;
  // The page's words, fetched while the scripts are: texts.js asks for them by the same address.
  const own = window.bgm.language === 'en' ? ['texts'] : ['texts', 'sentences'];
  for (const name of own) {
    const href = new URL(`${window.bgm.prefix}/static/${name}.${window.bgm.language}.json`, document.baseURI).href;
    document.head.append(Object.assign(document.createElement('link'), { rel: 'preload', as: 'fetch', crossOrigin: 'anonymous', href }));
  }
})();
