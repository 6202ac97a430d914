// What the page's scripts compute, without a page: run(static folder's URL, gesture cases) gives [name, null or what failed].
// Node runs it (node scripts.mjs <static folder> <JSON of window.bgm> <cases>), or a browser that imports it.
const same = (found, wanted, what = '') => {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what} ${JSON.stringify(found)} in place of ${JSON.stringify(wanted)}`);
};
const close = (found, wanted, within, what = '') => {
  if (!(Math.abs(found - wanted) <= within)) throw new Error(`${what} ${found} in place of ${wanted}`);
};
const turn = () => new Promise((resolve) => setTimeout(resolve));

function segment([id, start, end, emotion, fade_in = 0, fade_out = 0]) {
  return { id, start, end, emotion, fade_in, fade_out, prompt: '', takes: [], chosen: null, locked: false, silent: false, stale: false };
}
const row = (s) => [s.id, s.start, s.end, s.emotion, s.fade_in, s.fade_out];
const line = (start, end, text) => ({ start, end, text, english: text, unsure: false, scores: [0, 0, 0, 1, 0, 0, 0] });

let revision = 0;
const view = (rows, more = {}) => ({
  id: 'p', rev: (revision += 1), duration: 10, segments: rows.map(segment), utterances: [line(1, 3, 'hello there')], preview: {}, ...more,
});
const START = [['s1', 0, 4, 'joy'], ['s2', 4, 10, 'fear']];

// A server that answers when it is told to.
function server(store) {
  const calls = [];
  store.server = { edit: ({ project, gestures }) => new Promise((answer, fail) => calls.push({ project, ops: gestures.map((g) => g.op), keys: gestures.map((g) => g.key), answer, fail })) };
  return calls;
}

function undoCases({ store, setView, closeView, want, commit, isSaving, savedLines, setJob }) {
  const emotions = () => store.view.segments.map((s) => s.emotion).join(' ');
  const open = (one) => {
    want(one.id);
    setView(one);
  };
  const begin = () => {
    closeView();
    open(view(START));
    return server(store);
  };
  const answered = async (call, rows, more) => {
    call.answer({ view: JSON.stringify(view(rows, more)), error: null });
    await turn();
  };
  const failed = async (call) => {
    const { fetch } = globalThis;
    globalThis.fetch = async () => ({ ok: true });
    call.fail(new Error('gone'));
    await turn();
    globalThis.fetch = fetch;
  };
  const [ANGRY] = [[['s1', 0, 4, 'anger'], ['s2', 4, 10, 'fear']]];
  return {
    'an edit is shown before Python answers, and saved when it has': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      same([emotions(), calls.length, isSaving()], ['anger fear', 1, true]);
      await answered(calls[0], ANGRY);
      same([emotions(), isSaving()], ['anger fear', false]);
    },
    'an undo goes after the edits that came before it, and shows what Python says': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      commit({ op: 'undo' });
      same(calls.map((c) => c.ops), [['emotion']], 'while the first is on its way');
      await answered(calls[0], ANGRY);
      same(calls.map((c) => c.ops), [['emotion'], ['undo']]);
      same(emotions(), 'anger fear', 'until Python answers');
      await answered(calls[1], START, { history: { undo: 0, redo: 1 } });
      same([emotions(), store.view.history, isSaving()], ['joy fear', { undo: 0, redo: 1 }, false]);
    },
    'edits that come while one is sent go together, in order, and stay in sight': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      commit({ op: 'emotion', id: 's2', emotion: 'joy' });
      commit({ op: 'move', id: 's2', time: 5 });
      commit({ op: 'move', id: 's2', time: 6 });
      await answered(calls[0], ANGRY);
      same(calls[1].ops, ['emotion', 'move'], 'of the moves of one boundary the last');
      await answered(calls[1], [['s1', 0, 6, 'anger'], ['s2', 6, 10, 'joy']]);
      same(store.view.segments.map((s) => s.start), [0, 6]);
    },
    'edits that did not come there stay in sight and are sent again, in order, by the next one': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      await failed(calls[0]);
      same([emotions(), isSaving(), store.message.isError, savedLines().has(store.view.utterances[0])], ['anger fear', true, true, true]);
      commit({ op: 'line_text', index: 0, name: 'text', text: 'hello you' });
      same([calls[1].ops, calls[1].keys[0] === calls[0].keys[0]], [['emotion'], true], 'with its key');
      same(savedLines().has(store.view.utterances[0]), false);
      await answered(calls[1], ANGRY);
      same(calls[2].ops, ['line_text']);
      await answered(calls[2], ANGRY, { utterances: [line(1, 3, 'hello you')] });
      same([calls.length, isSaving(), savedLines()], [3, false, null]);
    },
    'an edit that a server in reach fails to take three times is given up': async () => {
      const calls = begin();
      for (const op of ['emotion', 'undo', 'undo']) {
        commit({ op, id: 's1', emotion: 'anger' });
        await failed(calls.at(-1));
      }
      same([emotions(), isSaving(), store.message.isError], ['joy fear', false, true]);
    },
    'edits during the analysis wait for its end': async () => {
      const calls = begin();
      setJob({ state: 'running', kind: 'analyze' });
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      same([calls.length, emotions()], [0, 'anger fear']);
      setView(view([['s1', 0, 10, 'joy']]));
      same(emotions(), 'anger', 'over the new timeline too');
      setJob({ state: 'done' });
      same(calls.map((c) => c.ops), [['emotion']]);
      await answered(calls[0], [['s1', 0, 10, 'anger']]);
    },
    'edits of a project that is left go there, and what still comes of it does not open it again': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      commit({ op: 'emotion', id: 's2', emotion: 'joy' });
      closeView();
      await answered(calls[0], ANGRY);
      same([calls.length, calls[1].project, calls[1].ops, store.view.id], [2, 'p', ['emotion'], null]);
      setView(view(ANGRY));
      await answered(calls[1], [['s1', 0, 4, 'anger'], ['s2', 4, 10, 'joy']]);
      same([store.view.id, isSaving()], [null, false]);
      open(view(ANGRY));
      same(store.view.id, 'p', 'when it is asked for');
    },
    'only the project that was asked for is shown, or a new one while none is': () => {
      begin();
      const other = (more) => ({ ...view(START), id: 'q', ...more });
      setView(other());
      setView(other({ is_new: true }));
      setView({ id: null });
      same(store.view.id, 'p');
      closeView();
      setView(other());
      same(store.view.id, null);
      setView(other({ is_new: true }));
      same(store.view.id, 'q');
    },
    'edits that wait for the end of an analysis are there when one comes back': async () => {
      const calls = begin();
      setJob({ state: 'running', kind: 'analyze' });
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      closeView();
      await turn();
      same(calls.length, 0);
      open(view(START));
      same([emotions(), calls.map((c) => c.ops)], ['anger fear', [['emotion']]]);
      await answered(calls[0], ANGRY);
    },
    'a view that comes while an edit is on its way waits for the answer': async () => {
      const calls = begin();
      commit({ op: 'emotion', id: 's1', emotion: 'anger' });
      setView(view(START));
      same(emotions(), 'anger fear');
      await answered(calls[0], ANGRY);
      same(emotions(), 'anger fear');
      commit({ op: 'emotion', id: 's2', emotion: 'joy' });
      await answered(calls[1], [['s1', 0, 4, 'anger'], ['s2', 4, 10, 'joy']]);
      setView(view(START));
      same(emotions(), 'joy fear', 'later ones are shown again');
    },
    'a view that was read earlier does not come back': () => {
      begin();
      const old = view(START);
      setView(view(ANGRY));
      setView(old);
      same(emotions(), 'anger fear');
    },
    'what reads the same stays the same object': () => {
      begin();
      const before = store.view;
      setView(view(ANGRY));
      same([store.view.segments[0] === before.segments[0], store.view.segments[1] === before.segments[1]], [false, true]);
      same(store.view.utterances === before.utterances, true, 'a whole list too');
    },
  };
}

// A strip that is `width` pixels wide to the eye.
function strip(Scale, width, duration) {
  const scroller = {
    clientWidth: width, left: 0, addEventListener() {}, getBoundingClientRect: () => ({ left: 100 }),
    get scrollLeft() { return this.left; },
    set scrollLeft(x) { this.left = Math.round(x); }, // as a browser does on a plain screen
  };
  const inner = { style: { setProperty() {} }, getBoundingClientRect: () => ({ left: 100 - scroller.left }) };
  const scale = new Scale(scroller, inner);
  scale.duration = duration;
  scale.measure();
  return scale;
}

function mappingCases({ Scale, ticks, MIN_SPAN }) {
  const cases = {};
  for (const [seconds, width] of [[0.4, 380], [20.5, 1440], [450, 1280], [5400, 1440], [10800, 390]]) {
    cases[`times and pixels agree over ${seconds} s in ${width} pixels, at every zoom`] = () => {
      const scale = strip(Scale, width, seconds);
      for (const zoom of [1, 1.7, 30, 1e9]) {
        for (const share of [0, 0.31, 0.9, 1]) {
          const x = 100 + share * width;
          const time = scale.timeAt(x);
          scale.zoomAt(zoom, x - 100);
          scale.place();
          const isAtEnd = scale.left === 0 || scale.left >= width * (scale.zoom - 1) - 1;
          if (!isAtEnd) close(scale.seenX(time), share * width, 1, `zoom ${zoom}: the moment stays under the pointer,`);
          const [from, to] = scale.range;
          close(scale.seenX(from), 0, 1e-6);
          close(scale.seenX(to), width, 1e-6 * width * scale.zoom);
          close(scale.seconds(scale.x(time)), time, 1e-9 * seconds);
          close(scale.timeAt(100 + scale.seenX(time)), time, scale.seconds(1));
          close((parseFloat(scale.percent(time)) / 100) * width * scale.zoom, scale.x(time), 1e-6 * scale.x(time) + 1e-9, 'blocks lie by percent,');
        }
      }
      close(scale.range[1] - scale.range[0], Math.min(MIN_SPAN, seconds), 1e-6 * seconds, 'the deepest zoom shows');
      scale.fit();
      same(scale.range, [0, seconds]);
    };
    cases[`the ruler of ${seconds} s in ${width} pixels has room for its numbers`] = () => {
      const { times } = ticks(0, seconds, width);
      const apart = times.slice(1).map((time, i) => ((time - times[i]) / seconds) * width);
      same(apart.every((x) => x >= 60 || seconds > 3600), true, JSON.stringify(apart.slice(0, 3)));
      same(times.every((time) => time >= 0 && time <= seconds), true);
    };
  }
  cases['what is out of sight is revealed, what is in sight stays'] = () => {
    const scale = strip(Scale, 1000, 100);
    scale.zoomAt(10, 0);
    scale.place();
    scale.reveal(5);
    same(scale.left, 0);
    scale.reveal(50);
    close(scale.seenX(50), 100, 1);
  };
  return cases;
}

function fetchCases({ fetched }) {
  const from = async (answer, ...more) => {
    const { fetch } = globalThis;
    globalThis.fetch = answer;
    try {
      return await fetched('peaks', ...more);
    } finally {
      globalThis.fetch = fetch;
    }
  };
  const answer = (ok, json) => async () => ({ ok, status: ok ? 200 : 404, json });
  const broken = async () => {
    throw new Error('cut off');
  };
  return {
    'what comes is taken from the answer as it is wanted': async () => {
      same(await from(answer(true, async () => [1, 2])), [1, 2]);
      same(await from(answer(true, broken), ({ status }) => status), 200);
    },
    'a fetch that comes to nothing is null, not an error': async () => {
      same([await from(broken), await from(answer(false, async () => [1])), await from(answer(true, broken))], [null, null, null]);
    },
  };
}

function ruleCases({ apply, beforeNearest, sought }, { near, nearest }, { seconds, limits }, cases) {
  const found = [{ time: 1, kind: 'line' }, { time: 1.4, kind: 'word' }];
  const words = ({ start, end, text }) => [start, end, text];
  const rules = Object.fromEntries(cases.map(({ name, before, lines, gesture, after }) => [name, () => (lines
    ? same(apply({ utterances: lines.map((one) => line(...one)), duration: 10 }, gesture).utterances.map(words), after ?? lines)
    : same(apply({ segments: before.map(segment), preview: {} }, gesture).segments.map(row), after))]));
  return {
    ...rules,
    'after a split a merge is the way back, also a while later and in the last segment': () => {
      const rows = [['s1', 0, 4, 'joy', 0, 0], ['s2', 4, 10, 'fear', 1, 2]];
      const whole = { segments: rows.map(segment), preview: {} };
      for (const [id, time] of [['s1', 1.5], ['s2', 6]]) {
        const { segments } = apply(whole, { op: 'split', id, time });
        for (const later of [0, 0.9]) {
          same(apply({ ...whole, segments }, { op: 'merge', id: beforeNearest(segments, time + later).id }).segments.map(row), rows);
        }
      }
      same([0, 3, 4, 8].map((time) => beforeNearest(whole.segments, time).id), ['s1', 's1', 's1', 's1']);
      same(beforeNearest([segment(['s1', 0, 10, 'joy'])], 5), null, 'of one segment');
    },
    'a time snaps to the nearest edge within reach': () => {
      same(near([0, 1, 1.5, 3], 1.2, 0.4), [1, 1.5]);
      same([nearest(found, 1.2, 0.3).kind, nearest(found, 1.25, 0.3).kind, nearest(found, 5, 1)], ['line', 'word', null]);
    },
    'a whole word is found in any script': () => {
      const found = (text, find) => [...text.matchAll(sought(find, true))].map(({ index }) => index);
      same(found("The Netherlands, the end's 'the' A_the", 'the'), [0, 17, 28, 35]);
      same([found('학교에 갔다. 학교, 좋다', '학교'), found('où ou oùi', 'où'), found('हिन्दी हिन्', 'हिन्'), found('aa a a', 'a a'), found('C++ and C', 'c++')], [[8], [0], [7], [3], [0]]);
      same('the Netherlands a.b axb'.match(sought('the', false)).length, 2);
      same('a.b axb'.match(sought('a.b', false)), ['a.b'], 'no pattern');
      const lines = [line(1, 3, 'The Netherlands')];
      same(apply({ utterances: lines }, { op: 'replace', find: 'the', put: 'those', whole: true }).utterances[0].text, 'Those Netherlands');
    },
    'a typed edge of a line lies between its neighbours and its other edge': () => {
      const lines = [line(1, 3, 'a'), line(4, 6, 'b'), line(8, 9, 'c')];
      const found = [[0, 'start'], [1, 'start'], [1, 'end'], [2, 'end']].map(([i, edge]) => limits({ utterances: lines, duration: 10 }, i, edge));
      same(found, [[0, 2.9], [3, 5.9], [4.1, 8], [8.1, 10]]);
    },
    'a time is written in minutes or in seconds': () => {
      same(['1:02.5', '62,5', '1:00:01', 'soon', ''].map(seconds), [62.5, 62.5, 3601, null, null]);
    },
  };
}

// A mark by keys, with a video that stands where it is told to.
function markCases({ store, setView, mark, say }, { onKey }, { attach }) {
  const video = { currentTime: 0, addEventListener() {} };
  const press = (key, time = video.currentTime) => {
    video.currentTime = time;
    onKey({ key, target: {} });
    return store.range;
  };
  const begin = () => {
    attach(video);
    setView({ id: null });
    setView(view(START));
  };
  return {
    'I and O mark from playhead to playhead, and the newer one counts': () => {
      begin();
      same(press('i', 3), [3, 10]);
      video.currentTime = 5;
      setView(view(START));
      same(press('o'), [3, 5], 'after the playhead has moved');
      same(press('i', 7), [7, 10], 'behind the other end');
      same(press('o', 2), [0, 2], 'before the other end');
      same(press('Escape'), null);
    },
    'an error is told until one goes on': () => {
      begin();
      for (const name of ['pointerdown', 'keydown']) {
        say('No.', true);
        document.dispatchEvent(new Event(name));
        same(store.message, null, name);
      }
      say('Done.');
      document.dispatchEvent(new Event('pointerdown'));
      same(store.message.text, 'Done.');
      mark(null);
    },
  };
}

export async function run(base, cases) {
  const names = ['store', 'edits', 'timeline/scale', 'timeline/snap', 'transcript/linebar', 'dom', 'timeline/actions', 'playback'];
  const [store, edits, scale, snap, linebar, dom, actions, playback] = await Promise.all(names.map((name) => import(`${base}/${name}.js`)));
  const all = { ...undoCases(store), ...mappingCases(scale), ...ruleCases(edits, snap, linebar, cases), ...fetchCases(dom), ...markCases(store, actions, playback) };
  const results = [];
  for (const [name, work] of Object.entries(all)) {
    try {
      await work();
      results.push([name, null]);
    } catch (error) {
      results.push([name, String(error.message)]);
    }
  }
  return results;
}

if (typeof process !== 'undefined' && process.argv?.[2]) {
  const [folder, known, cases] = process.argv.slice(2);
  globalThis.window = Object.assign(globalThis, { bgm: { ...JSON.parse(known), language: 'en' } });
  globalThis.addEventListener ??= () => {};
  globalThis.document = Object.assign(new EventTarget(), { activeElement: null, documentElement: { lang: 'en' } });
  globalThis.fetch = async () => ({ ok: true, json: async () => ({}) });
  console.log(JSON.stringify(await run(folder, JSON.parse(cases))));
}
