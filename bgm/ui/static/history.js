// The browser's Back and Forward: below a project lies the start, below an open sheet its project. The address stays the same, so
// that no link names a project; each tab keeps its own place, through a reload too (page.py reads it).
import { onSheets, showSheet, shownSheet } from './sheet.js';
import { store, subscribe } from './store.js';

const START = { project: null, sheet: null };
const at = () => history.state?.bgm ?? START;
const put = (how, place) => history[how]({ ...history.state, bgm: place }, '');
const depth = ({ project, sheet }) => (project ? 1 : 0) + (sheet ? 1 : 0);
let shown = null; // the project
let isGoing = false; // back, to where the page is already
let awaited = null; // the project that Forward asked for

export function keepHistory() {
  addEventListener('popstate', () => {
    const isOurs = isGoing;
    isGoing = false;
    if (isOurs) follow();
    else arrive(at());
  });
  subscribe(['view'], () => {
    const { id } = store.view;
    if (id === shown) return;
    shown = awaited = id;
    if (!id) showSheet(null);
    follow();
  });
  subscribe(['job'], () => {
    const isRefused = store.job.state === 'failed' && store.job.kind === 'start' && !store.view.id;
    if (!isRefused) return;
    awaited = null; // it is gone
    follow();
  });
  onSheets(() => shown && follow());
}

// The page changed: the history follows.
function follow() {
  const here = at();
  const now = { project: store.view.id, sheet: store.view.id && shownSheet() };
  if (isGoing || (now.project === here.project && now.sheet === here.sheet)) return;
  const isDeeper = now.project && (!here.project || (now.sheet && !here.sheet));
  if (isDeeper) {
    if (!here.project) put('replaceState', START);
    put('pushState', now);
  } else if (depth(now) === depth(here)) put('replaceState', now);
  else {
    isGoing = true;
    history.go(depth(now) - depth(here));
  }
}

// The creator went back or forward: the page follows.
function arrive({ project, sheet }) {
  if (project && project === store.view.id) showSheet(sheet);
  else if (project) store.open(project);
  else if (store.view.id || awaited) store.close();
  awaited = project === store.view.id ? null : project;
}
