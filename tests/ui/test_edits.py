from __future__ import annotations

from typing import Any

import pytest

from bgm.errors import BadInput
from bgm.settings import Settings
from bgm.timeline import Emotion, Segment, Take, Timeline
from bgm.ui.edits import History, Revision, apply, change_settings

TAKE = Take("t1", "embedded", 1, "takes/s1-t1.flac")


@pytest.fixture
def timeline() -> Timeline:
    first = Segment("s1", 0.0, 4.0, Emotion.JOY, chosen="t1", takes=(TAKE,))
    return Timeline(10.0, (first, Segment("s2", 4.0, 10.0, Emotion.FEAR)))


def test_each_gesture_does_what_it_says(timeline: Timeline) -> None:
    assert apply(timeline, {"op": "move", "id": "s2", "time": 5}).segments[0].end == 5.0
    assert len(apply(timeline, {"op": "split", "id": "s2", "time": 6.5}).segments) == 3
    assert len(apply(timeline, {"op": "merge", "id": "s1"}).segments) == 1
    assert [(s.id, s.end) for s in apply(timeline, {"op": "remove", "id": "s2"}).segments] == [("s1", 10.0)]
    assert [(s.id, s.start) for s in apply(timeline, {"op": "remove", "id": "s1"}).segments] == [("s2", 0.0)]
    both = [{"op": "emotion", "id": i, "emotion": "anger"} for i in ("s1", "s2")]
    assert {s.emotion for s in apply(timeline, {"op": "together", "edits": both}).segments} == {Emotion.ANGER}
    assert apply(timeline, {"op": "emotion", "id": "s1", "emotion": "anger"})["s1"].emotion == Emotion.ANGER
    assert len(apply(timeline, {"op": "insert", "start": 1, "end": 2, "emotion": "joy"}).segments) == 4
    assert apply(timeline, {"op": "choose", "id": "s1", "take": "t1"})["s1"].chosen == "t1"
    assert apply(timeline, {"op": "set", "id": "s1", "field": "gain_db", "value": -3})["s1"].gain_db == -3.0


def test_fades_stay_at_the_outer_edges(timeline: Timeline) -> None:
    for field, value in (("fade_in", 2), ("fade_out", 3)):
        timeline = apply(timeline, {"op": "set", "id": "s2", "field": field, "value": value})
    cut = apply(timeline, {"op": "split", "id": "s2", "time": 6})
    assert [(s.fade_in, s.fade_out) for s in cut.segments] == [(0, 0), (2, 0), (0, 3)]
    assert [(s.fade_in, s.fade_out) for s in apply(cut, {"op": "merge", "id": "s2"}).segments] == [(0, 0), (2, 3)]


@pytest.mark.parametrize(
    ("gesture", "sentence"),
    [
        ({}, "there is no edit"),
        ({"op": "__init__"}, "there is no edit"),
        ({"op": "move", "id": "s9", "time": 1}, "there is no segment 's9'"),
        ({"op": "move", "id": "s2", "time": "4"}, "time must be a number"),
        ({"op": "move", "id": "s2", "time": float("nan")}, "time must be a number"),
        ({"op": "move", "id": "s2", "time": True}, "time must be a number"),
        ({"op": "move", "id": "s1", "time": 1}, "there is no boundary 0"),
        ({"op": "split", "id": "s1", "time": 0.1}, "can be split only"),
        ({"op": "merge", "id": "s2"}, "no next one"),
        ({"op": "emotion", "id": "s1", "emotion": "bored"}, "there is no emotion 'bored'"),
        ({"op": "together", "edits": {}}, "a list of at most"),
        ({"op": "together", "edits": [{"op": "together", "edits": []}]}, "hold no others"),
        ({"op": "together", "edits": [{"op": "remove", "id": "s1"}] * 2}, "there is no segment 's1'"),
        ({"op": "together", "edits": [{"op": "remove", "id": i} for i in ("s1", "s2")]}, "the only segment"),
        ({"op": "choose", "id": "s1", "take": "../../etc/passwd"}, "has no such take"),
        ({"op": "set", "id": "s1", "field": "takes", "value": []}, "there is no field 'takes'"),
        ({"op": "set", "id": "s1", "field": "prompt", "value": "x" * 501}, "at most 500"),
        ({"op": "set", "id": "s1", "field": "seed", "value": 1.5}, "whole number"),
        ({"op": "set", "id": "s1", "field": "fade_in", "value": 11}, "between 0 and 10"),
        ({"op": "set", "id": "s1", "field": "gain_db", "value": 99}, "between -24 and 12"),
        ({"op": "set", "id": "s1", "field": "locked", "value": "yes"}, "on or off"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(timeline: Timeline, gesture: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        apply(timeline, gesture)


def test_undo_and_redo_walk_through_the_gestures(timeline: Timeline) -> None:
    history, states = History(), [Revision(timeline)]
    for emotion in ("anger", "sadness"):
        history.remember(states[-1])
        edited = apply(states[-1].timeline, {"op": "emotion", "id": "s1", "emotion": emotion})
        states.append(Revision(edited))
    assert history.undo(states[2]) == states[1]
    assert history.undo(states[1]) == states[0]
    assert history.undo(states[0]) == states[0], "there is nothing more to undo"
    assert history.redo(states[0]) == states[1]
    history.remember(states[1])
    assert history.redo(states[1]) == states[1], "a new gesture ends what could be redone"


def test_changes_are_taken_with_their_types() -> None:
    wanted = {"min_segment": 3, "takes": 2, "lufs": None, "duck": False, "language": "ko", "music": "embedded"}
    settings = change_settings(Settings(), wanted)
    assert (settings.min_segment, settings.takes, settings.lufs) == (3.0, 2, None)
    assert change_settings(settings, {"min_segment": "auto"}).min_segment == "auto"
    assert (settings.duck, settings.language, settings.music) == (False, "ko", "embedded")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"subtitles": "/etc/passwd"}, "there is no setting subtitles"),
        ({"transcriber": "whisper:/srv/model.pt"}, "must be one of"),
        ({"language": "../x"}, "two or three letters"),
        ({"takes": 99}, "takes must be a whole number from 1 to 4"),
        ({"takes": True}, "takes must be a whole number"),
        ({"min_segment": -1}, "auto or 0 to 30 seconds"),
        ({"min_segment": "never"}, "min-segment must be auto or 0"),
        ({"lufs": 3}, "lufs must be .*-60 to -5 LUFS"),
        ({"duck": "no"}, "on or off"),
        ({"seed": 1.5}, "seed must be auto or a whole number"),
        ({"style": "polka"}, "style must be auto, lofi"),
        ({"style": None}, "style must be auto"),
        ({"audio_track": 2}, "audio-track must be auto, mix or a whole number from 1 to 64"),
        ({"audio_track": "all"}, "audio-track must be auto, mix or a whole number from 1 to 64"),
    ],
)
def test_what_a_browser_may_not_set(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        change_settings(Settings(), change)
