"""What is heard follows what is edited, whatever is in work meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import gradio as gr
import pytest
import soundfile

from bgm import project as projects
from bgm import studio
from bgm.environment import Environment
from bgm.errors import BadInput
from bgm.progress import Step
from bgm.project import Project
from bgm.settings import Settings
from bgm.speech.words import Recording, Transcript
from bgm.timeline import Utterance
from bgm.ui.handlers import Handlers
from bgm.ui.jobs import Job, Jobs
from bgm.ui.sample import Sample
from bgm.ui.service import Service
from bgm.ui.steps import Records, StepOptions, mix_key
from bgm.ui.view import View
from bgm.ui.workspace import Workspace

SETTINGS = Settings(min_segment=2.0, separator="original", classifier="minilm", music="embedded", offline=True)
LINES = """1
00:00:00,200 --> 00:00:03,800
I am so happy today, this is wonderful and I love it!

2
00:00:04,200 --> 00:00:07,800
I miss her so much, I cried the whole night, it is so sad.
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(Workspace(Environment(data=tmp_path / "data"), SETTINGS), Jobs(2, 5))


@pytest.fixture
def begun(service: Service, tmp_path: Path) -> str:
    """The id of a project that was not analyzed yet."""
    sound = tmp_path / "talk.wav"
    soundfile.write(sound, [0.0] * 48_000 * 8, 48_000)
    sound.with_suffix(".srt").write_text(LINES, encoding="utf-8")
    return service.begin([sound, sound.with_suffix(".srt")])


@pytest.fixture
def heard(service: Service, begun: str) -> str:
    """The same, analyzed and with its music."""
    for kind in ("analyze", "preview"):
        over(service.start(begun, kind, StepOptions()))
    return begun


def over(job: Job) -> Job:
    assert job.finished.wait(180) and job.state == "done", job.error  # a busy machine is no failure
    return job


def during(work: Callable[[], object]) -> Callable[[Step], None]:
    """Does ``work`` once, in the middle."""
    done: list[bool] = []

    def listen(step: Step) -> None:
        if not done and step.fraction > 0:
            done.append(True)
            work()

    return listen


def test_after_the_analysis_the_first_score_is_one_step(service: Service, heard: str) -> None:
    project = service.workspace.load(heard)
    view = service.view(heard)
    assert [s.emotion for s in project.segments] == ["joy", "sadness"] and not studio.stale(project)
    assert view["preview"] == {**view["preview"], "composes": True, "by_itself": True, "stale": False}
    assert view["preview"]["url"]


def test_an_edit_makes_its_segment_alone_and_one_that_comes_meanwhile_too(
    service: Service, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (s.id for s in service.workspace.load(heard).segments)
    view = service.edit(heard, [{"op": "emotion", "id": second, "emotion": "fear"}])
    assert [s["stale"] for s in view["segments"]] == [False, True]
    before = service.workspace.load(heard).segments[0].chosen
    plain, edited = studio.compose, []

    def compose(*args: object, **more: object) -> projects.Project:
        done = plain(*args, **more)  # type: ignore[arg-type]
        if not edited:
            edited.append(service.edit(heard, [{"op": "emotion", "id": first, "emotion": "anger"}]))
        return done

    monkeypatch.setattr(studio, "compose", compose)
    over(service.start(heard, "preview", StepOptions()))
    project = service.workspace.load(heard)
    assert [s.emotion for s in project.segments] == ["anger", "fear"] and not studio.stale(project)
    assert project.segments[0].chosen != before
    assert Records.load(project.folder).preview == mix_key(project), "the mix has both"


def test_an_undo_and_an_edit_while_music_is_made_are_still_one_step_each(
    service: Service, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [s.emotion for s in service.workspace.load(heard).segments]
    first, second = (s.id for s in service.workspace.load(heard).segments)
    service.edit(heard, [{"op": "remove", "id": second}])
    plain, edited = studio.compose, []

    def compose(*args: object, **more: object) -> projects.Project:
        if not edited:
            edited.append(service.edit(heard, [{"op": "undo"}, {"op": "emotion", "id": first, "emotion": "fear"}]))
        return plain(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(studio, "compose", compose)
    over(service.start(heard, "preview", StepOptions()))
    assert [s["emotion"] for s in service.edit(heard, [{"op": "undo"}])["segments"]] == before


def test_a_take_chosen_by_hand_stays_until_its_segment_is_edited(service: Service, heard: str) -> None:
    second, older = service.workspace.load(heard).segments[1].id, service.workspace.load(heard).segments[1].chosen
    service.edit(heard, [{"op": "emotion", "id": second, "emotion": "fear"}])
    over(service.start(heard, "preview", StepOptions()))
    made = service.workspace.load(heard).segments[1].chosen
    view = service.edit(heard, [{"op": "choose", "id": second, "take": older}])
    assert [s["stale"] for s in view["segments"]] == [False, False], "it is meant"
    over(service.start(heard, "preview", StepOptions()))
    over(service.start(heard, "compose", StepOptions()))
    chosen = service.workspace.load(heard).segments[1]
    assert (chosen.chosen, len(chosen.takes)) == (older, 2)
    view = service.edit(heard, [{"op": "set", "id": second, "field": "prompt", "value": "slow"}])
    assert view["segments"][1]["stale"]
    over(service.start(heard, "preview", StepOptions()))
    service.edit(heard, [{"op": "set", "id": second, "field": "prompt", "value": ""}])
    over(service.start(heard, "preview", StepOptions()))
    assert service.workspace.load(heard).segments[1].chosen == made, "a choice that was given up does not come back"


def composed(service: Service, project_id: str, *gestures: dict[str, object]) -> Project:
    """The project when the gestures, and what follows from each, are done."""
    for gesture in gestures:
        service.edit(project_id, [gesture])
        over(service.start(project_id, "preview", StepOptions()))
    return service.workspace.load(project_id)


def music(project: Project) -> list[tuple[object, ...]]:
    """The timeline with the music that is heard, without the choice there is."""
    return [(s.id, s.start, s.end, s.emotion, s.source, s.gain_db, s.prompt, s.chosen) for s in project.segments]


def test_halves_that_are_merged_again_have_the_music_that_was_there(service: Service, heard: str) -> None:
    second = service.workspace.load(heard).segments[1].id
    over(service.start(heard, "compose", StepOptions((second,), another=True)))
    before = service.workspace.load(heard)
    split = {"op": "split", "id": second, "time": 6.0}
    halves = composed(service, heard, split)
    assert len(halves.segments) == 3 and before.segments[1].chosen not in {s.chosen for s in halves.segments}
    view = service.edit(heard, [{"op": "merge", "id": second}])
    whole = service.workspace.load(heard)
    assert music(whole) == music(before), "the second take, which was asked for, not the first"
    assert set(before.segments[1].takes) <= set(whole.segments[1].takes)
    assert not any(s["stale"] for s in view["segments"])
    # With another emotion in one half it is another segment.
    edits = [split, {"op": "emotion", "id": second, "emotion": "fear"}, {"op": "merge", "id": second}]
    assert [s["stale"] for s in service.edit(heard, edits)["segments"]] == [False, True]


EDITS: tuple[dict[str, object], ...] = (
    {"op": "move", "id": "s2", "time": 5.0},
    {"op": "split", "id": "s1", "time": 2.0},
    {"op": "merge", "id": "s1"},
    {"op": "remove", "id": "s1"},
    {"op": "insert", "start": 1.0, "end": 3.0, "emotion": "fear"},
    {"op": "insert", "start": 2.0, "end": 6.0, "emotion": "joy"},
    {"op": "set", "id": "s2", "field": "seed", "value": 5},
    {"op": "set", "id": "s1", "field": "silent", "value": True},
    {"op": "line_text", "index": 0, "name": "text", "text": "How dare you, I am furious, I hate this!"},
    {"op": "line_times", "index": 0, "start": 0.2, "end": 4.15},
)


def test_undo_and_redo_give_back_the_very_music(service: Service, heard: str) -> None:
    before = service.workspace.load(heard)
    for gesture in EDITS:
        after = composed(service, heard, gesture)
        assert music(after) != music(before)
        for back, wanted in (("undo", before), ("redo", after), ("undo", before)):
            service.edit(heard, [{"op": back}])
            now = service.workspace.load(heard)
            assert (music(now), now.utterances) == (music(wanted), wanted.utterances), gesture
            assert not studio.stale(now), "there is nothing to be made"
    service.save_snapshot(heard, "one")
    after = composed(service, heard, {"op": "remove", "id": "s2"})
    service.restore_snapshot(heard, "one")
    back_there = service.workspace.load(heard)
    service.edit(heard, [{"op": "undo"}])
    again = service.workspace.load(heard)
    assert (music(back_there), music(again)) == (music(before), music(after))
    assert not studio.stale(back_there) and not studio.stale(again)


def any_edit(chance: Random, project: Project) -> dict[str, object]:
    """It may be impossible."""
    segment, text = (
        chance.choice(project.segments),
        chance.choice(["I hate it, I am furious!", "I love it, wonderful!"]),
    )
    time, emotion = chance.uniform(0, 8), chance.choice(["joy", "fear", "neutral"])
    take = chance.choice(segment.takes).id if segment.takes else None
    edits: list[dict[str, object]] = [
        *({"op": op, "id": segment.id, "time": time} for op in ("split", "move")),
        *({"op": op, "id": segment.id} for op in ("merge", "remove")),
        {"op": "emotion", "id": segment.id, "emotion": emotion},
        {"op": "insert", "start": time, "end": min(8.0, time + 2), "emotion": emotion},
        {"op": "choose", "id": segment.id, "take": take},
        {"op": "set", "id": segment.id, "field": "locked", "value": not segment.locked},
        {"op": "set", "id": segment.id, "field": "prompt", "value": chance.choice(["", "slow", "piano"])},
        {"op": "line_split", "index": 0, "left": "I am so happy", "right": text},
        {"op": "line_merge", "index": 0},
        {"op": "line_text", "index": 0, "name": "text", "text": text},
    ]
    return chance.choice(edits)


def test_an_edit_that_is_sent_again_is_made_once(service: Service, heard: str) -> None:
    project = service.workspace.load(heard)
    first = project.segments[0]
    edit = {"op": "split", "id": first.id, "time": first.start + 1, "key": "tab-1"}
    for _ in range(2):
        service.edit(heard, [edit])
    assert len(service.workspace.load(heard).segments) == len(project.segments) + 1
    service.edit(heard, [{**edit, "time": first.start + 0.5, "key": "tab-2"}])
    assert len(service.workspace.load(heard).segments) == len(project.segments) + 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_session_is_undone_and_redone_step_by_step(service: Service, heard: str, seed: int) -> None:
    chance = Random(seed)

    def now() -> tuple[int, object]:
        project = service.workspace.load(heard)
        depth: int = service.view(heard)["history"]["undo"]
        return depth, (music(project), [(u.start, u.end, u.text) for u in project.utterances], studio.stale(project))

    states = dict([now()])
    for _ in range(14):
        with suppress(BadInput):
            composed(service, heard, any_edit(chance, service.workspace.load(heard)))
        depth, state = now()
        states[depth] = state
    for op in ("undo", "redo"):
        for _ in range(depth):
            service.edit(heard, [{"op": op}])
            at, state = now()
            assert state == states.get(at, state)  # an edit of words may be two steps, the first without its music


def test_beside_a_painted_stretch_the_music_goes_on(service: Service, heard: str) -> None:
    composed(service, heard, {"op": "set", "id": "s1", "field": "locked", "value": True})
    before = service.workspace.load(heard).segments[0]
    service.edit(heard, [{"op": "insert", "start": 1.0, "end": 3.0, "emotion": "fear"}])
    project = service.workspace.load(heard)
    left, _, right = project.segments[:3]
    assert left.chosen == before.chosen and left.locked and right.locked
    assert before.chosen_take and right.chosen_take
    whole, _ = soundfile.read(project.take_path(before.chosen_take))
    rest, _ = soundfile.read(project.take_path(right.chosen_take))
    assert (rest == whole[3 * 48_000 :]).all()
    over(service.start(heard, "render", StepOptions()))


WORDS: tuple[dict[str, object], ...] = (
    {"op": "line_split", "index": 0, "left": "I am so happy today,", "right": "this is wonderful and I love it!"},
    {"op": "line_merge", "index": 0},
    {"op": "line_text", "index": 0, "name": "text", "text": "I am so happy today, this is wonderful, I loved it!"},
    {"op": "replace", "find": "night", "put": "evening"},
    {"op": "line_times", "index": 0, "start": 0.4, "end": 3.7},
    {"op": "script", "text": "I am so happy today. This is wonderful, I love it! I miss her so much. I cried. So sad."},
)


def test_other_words_and_other_lines_are_no_other_music(service: Service, heard: str) -> None:
    before = service.workspace.load(heard)
    for gesture in WORDS:
        service.edit(heard, [gesture])
        over(service.start(heard, "read_emotions", StepOptions()))
        now = service.workspace.load(heard)
        assert now.utterances != before.utterances and not studio.unread(now)
        assert (music(now), studio.stale(now)) == (music(before), ()), gesture["op"]
    assert service.view(heard)["preview"]["url"], "the mix is what it was"


def test_a_line_that_says_something_else_makes_its_own_segment_anew(service: Service, heard: str) -> None:
    before = service.workspace.load(heard)
    service.edit(heard, [{"op": "line_text", "index": 0, "name": "text", "text": "I hate this, I am so furious!"}])
    over(service.start(heard, "read_emotions", StepOptions()))
    now = service.workspace.load(heard)
    assert [s.emotion for s in now.segments] == ["anger", "sadness"]
    assert studio.stale(now) == ("s1",) and music(now)[1] == music(before)[1]


def test_a_snapshot_and_an_undo_leave_what_export_is_set_to(service: Service, heard: str) -> None:
    wishes = {"style": "jazz", "duck": False}
    before = service.set_settings(heard, wishes)["settings"]
    service.save_snapshot(heard, "one")
    export = {"lufs": -23.0, "subtitle_track": True, "keep_original": True}
    for changes in ({"style": "lofi"}, {"duck": True}, *({name: value} for name, value in export.items())):
        service.set_settings(heard, changes)
    changed = service.workspace.load(heard).settings
    assert service.restore_snapshot(heard, "one")["settings"] == {**before, **export}
    service.edit(heard, [{"op": "undo"}])
    assert service.workspace.load(heard).settings == changed, "back to what it was before"
    undone = service.edit(heard, [{"op": "undo"}, {"op": "undo"}])["settings"]
    assert undone == {**before, **export}, "two changes of the music; what Export is set to was no edit"


def test_a_segment_in_work_says_so(service: Service, heard: str) -> None:
    _, second = (s.id for s in service.workspace.load(heard).segments)
    service.edit(heard, [{"op": "emotion", "id": second, "emotion": "fear"}])

    async def followed() -> list[View]:
        job = service.start(heard, "preview", StepOptions())
        return [view async for _, view in service.watch(job) if view is not None]

    with ThreadPoolExecutor(1) as pool:  # a thread of its own: a browser test may have left a loop running in this one
        views = pool.submit(asyncio.run, followed()).result()
    assert [s["composing"] for s in views[0]["segments"]] == [False, True]
    assert [s["composing"] for s in views[-1]["segments"]] == [False, False]


def test_an_edit_while_the_emotions_are_read_again_is_kept(service: Service, heard: str) -> None:
    second = service.workspace.load(heard).segments[1].id
    service.edit(
        heard, [{"op": "line_text", "index": 0, "name": "text", "text": "How dare you, I am furious, I hate this!"}]
    )
    project = service.workspace.load(heard)
    assert studio.unread(project)
    edit = [{"op": "emotion", "id": second, "emotion": "surprise"}]
    done = studio.read_emotions(project, during(lambda: service.edit(heard, edit)))
    assert [s.emotion for s in done.segments] == ["anger", "surprise"]
    assert done == service.workspace.load(heard)


def test_a_timeline_that_follows_from_a_line_is_undone_with_it(service: Service, heard: str) -> None:
    before = service.workspace.load(heard)
    for end in (4.1, 4.15):  # over the boundary; a slider or a key that is held: one step, whatever is read meanwhile
        service.edit(heard, [{"op": "line_times", "index": 0, "start": 0.5, "end": end, "run": 1}])
        over(service.start(heard, "read_emotions", StepOptions()))
    assert service.workspace.load(heard).segments[0].end != before.segments[0].end
    service.edit(heard, [{"op": "undo"}])
    now = service.workspace.load(heard)
    assert (now.utterances, [(s.start, s.end) for s in now.segments]) == (
        before.utterances,
        [(s.start, s.end) for s in before.segments],
    )


def test_words_that_were_changed_are_read_before_the_music_is_made(service: Service, heard: str) -> None:
    service.edit(
        heard, [{"op": "line_text", "index": 0, "name": "text", "text": "How dare you, I am furious, I hate this!"}]
    )
    over(service.start(heard, "render", StepOptions()))
    project = service.workspace.load(heard)
    assert project.segments[0].emotion == "anger" and not studio.stale(project)


def test_an_analysis_shows_the_words_as_they_are_heard(
    service: Service, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bgm.speech.subtitles import Subtitles

    seen: list[int] = []

    def transcribe(self: Subtitles, recording: Recording, progress: object) -> Transcript:
        lines = tuple(Utterance(i, i + 1.0, "so happy", "so happy") for i in range(3))
        for n in (1, 2):
            recording.told(lines[:n])
            seen.append(len(service.view(begun)["utterances"]))
        return Transcript("en", lines)

    monkeypatch.setattr(Subtitles, "transcribe", transcribe)
    over(service.start(begun, "analyze", StepOptions()))
    assert seen == [1, 2] and len(service.view(begun)["utterances"]) == 3


def test_asked_for_again_by_itself_a_step_that_runs_will_do(service: Service, heard: str) -> None:
    job = service.start(heard, "render", StepOptions())
    assert service.start(heard, "preview", StepOptions(), join=True) is job
    over(job)


def test_a_view_costs_one_reading_of_what_was_heard(
    service: Service, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bgm.takes import Activity

    read: list[Path] = []
    plain = Activity.load
    monkeypatch.setattr(Activity, "load", lambda file: read.append(file) or plain(file))
    service.view(heard)
    assert len(read) == 1


def test_a_sound_file_has_no_poster(service: Service, begun: str) -> None:
    assert service.view(begun)["media"]["poster"] is None


def test_a_new_page_closes_nothing_that_was_opened_before_its_answer_came(service: Service, tmp_path: Path) -> None:
    handlers = Handlers(service, Sample(tmp_path / "sample.mp4", tmp_path))

    async def answers() -> list[Any]:
        return [part async for shown in handlers.restore("", gr.Request()) for part in shown]

    with ThreadPoolExecutor(1) as pool:  # Playwright's loop runs in this thread
        assert pool.submit(asyncio.run, answers()).result() == [gr.skip()] * 2


def test_a_take_that_nothing_names_any_more_goes_and_what_undo_needs_stays(service: Service, heard: str) -> None:
    project = service.workspace.load(heard)
    (project.folder / "takes" / "s9-gone.flac").write_bytes(b"x")
    second = project.segments[1]
    service.edit(heard, [{"op": "remove", "id": second.id}])
    over(service.start(heard, "preview", StepOptions()))
    assert not (project.folder / "takes" / "s9-gone.flac").exists()
    service.edit(heard, [{"op": "undo"}])
    now = service.workspace.load(heard)
    assert now.segments[1].chosen == second.chosen and not studio.stale(now)


def test_a_title_keeps_the_letters_of_the_file_on_the_creators_disk(service: Service, tmp_path: Path) -> None:
    sound = tmp_path / "_22x_22.wav"
    soundfile.write(sound, [0.0] * 48_000, 48_000)
    name = '내 브이로그 🎬 it\'s "final" <b>\u202e.wav'
    begun = service.begin([sound], names=[name])
    assert service.view(begun)["title"] == '내 브이로그 🎬 it\'s "final" <b>'
    kept = service.workspace.load(begun)
    assert kept.video == "source/내 브이로그 _ it_s _final_ _b.wav"
    assert projects.loads(projects.dumps(kept), kept.folder).name == kept.name
