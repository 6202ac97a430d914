// Before anything is drawn: the language that was chosen last time, else the browser's own.
(() => {
  const asked = new URLSearchParams(location.search).get('lang') || localStorage.getItem('bgm-language');
  const wanted = asked || navigator.language.split('-')[0];
  window.bgm.language = window.bgm.languages.includes(wanted) ? wanted : 'en';
  // Gradio reads its own language here and offers no other way to set it.
  Object.defineProperty(navigator, 'language', { get: () => window.bgm.language, configurable: true });
  document.documentElement.lang = window.bgm.language;
})();
