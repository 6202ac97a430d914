"""The timeline that is drawn anew when words were changed: what stays as it was keeps its music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bgm import project as projects
from bgm import studio
from bgm.digest import seed_of
from bgm.project import Project
from bgm.settings import Settings
from bgm.takes import Reading, piece_of
from bgm.timeline import EMOTIONS, Emotion, Take, Utterance

JOY, ANGER, FEAR, SADNESS = Emotion.JOY, Emotion.ANGER, Emotion.FEAR, Emotion.SADNESS


def said(start: float, end: float, emotion: Emotion, sure: float = 0.9) -> Utterance:
    """Without English: nothing is left to be classified."""
    scores = {e: sure if e == emotion else (1 - sure) / (len(EMOTIONS) - 1) for e in EMOTIONS}
    return Utterance(start, end, f"{emotion} {sure}", "", scores)


def drawn(project: Project, *lines: Utterance) -> Project:
    return studio.read_emotions(replace(project, utterances=lines).save())


def with_takes(project: Project) -> Project:
    """Each segment has one, named after it."""
    timeline = project.timeline
    assert timeline is not None
    for s in timeline.segments:
        takes = (Take(f"of-{s.id}", "embedded", 1, f"takes/{s.id}.flac"),)
        timeline = timeline.update(s.id, takes=takes, chosen=takes[0].id)
    return replace(project, timeline=timeline).save()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Joy, then sadness, then fear, 10 s each."""
    new = projects.create(tmp_path / "p", tmp_path / "talk.mp4", 30.0, Settings())
    new.mark("video", "1:abc")
    return with_takes(drawn(new, said(0, 9, JOY), said(10, 19, SADNESS), said(20, 30, FEAR)))


def music(project: Project) -> Sequence[tuple[object, ...]]:
    """All of a segment that decides its music, and what is chosen."""
    return [(s.id, s.start, s.end, s.emotion, s.confidence, s.seed, s.chosen) for s in project.segments]


def test_words_that_say_the_same_otherwise_are_no_other_music(project: Project) -> None:
    lines = said(0, 4, JOY, 0.8), said(4, 9, JOY, 0.95), said(10, 19, SADNESS, 0.5), said(20.2, 30, FEAR)
    assert music(drawn(project, *lines)) == music(project)


def test_another_emotion_in_one_place_is_no_other_music_elsewhere(project: Project) -> None:
    parted = drawn(project, said(0, 4.5, JOY), said(4.5, 9, ANGER), said(10, 19, SADNESS), said(20, 30, FEAR))
    assert [s.emotion for s in parted.segments] == [JOY, ANGER, SADNESS, FEAR]
    assert list(music(parted))[2:] == list(music(project))[1:]
    new = parted.segments[:2]
    assert [(s.chosen, s.takes, s.seed) for s in new] == [(None, (), seed_of("auto", s.id)) for s in new]
    assert not {s.id for s in new} & {s.id for s in project.segments}, "whose takes come back with an undo"


def test_a_changed_line_is_neither_another_style_nor_another_measure_for_all(project: Project) -> None:
    style, pace = piece_of(project).style, Reading.of(project).pace
    Reading.note(project)
    lines = [said(t, t + 1.5, FEAR) for t in range(0, 30, 2)]
    changed = drawn(project, *lines)
    assert (piece_of(changed).style, Reading.of(changed).pace) == (style, pace)
    Reading.forget(project)  # as a new analysis does
    assert Reading.of(changed) == Reading(FEAR, 2.0)


@pytest.mark.parametrize("noted", ["", "joy", "joy nan", "bliss 2.000000", "joy 99999999.000000"])
def test_a_damaged_note_is_none(project: Project, noted: str) -> None:
    before = Reading.of(project)
    project.mark("reading", noted)
    assert Reading.of(project) == before
