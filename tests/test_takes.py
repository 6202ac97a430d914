"""Which piece a video gets, and what makes a take out of date."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bgm import engines
from bgm import project as projects
from bgm.engines import Choice, EngineOptions, Stage
from bgm.music.embedded import find_font
from bgm.project import Project
from bgm.settings import Settings
from bgm.takes import OWN_FILE, Activity, Music, numbers, order, piece_of, with_take, with_takes_of
from bgm.timeline import EMOTIONS, Emotion, Segment, Style, Take, Timeline, Utterance

MUSIC = Music.of(Choice(Stage.MUSIC, "embedded", "", EngineOptions()), Activity())


def project(folder: Path, fingerprint: str = "9:abc", **settings: object) -> Project:
    made = projects.create(folder, folder / "talk.mp4", 30.0, Settings(**settings))  # type: ignore[arg-type]
    made.mark("video", fingerprint)
    parts = [Segment(f"s{i}", 10.0 * i, 10.0 * i + 10, Emotion.JOY) for i in range(3)]
    return replace(made, timeline=Timeline(30.0, tuple(parts)))


def ids(project: Project) -> list[str]:
    return [order(project, piece_of(project), segment, 0, MUSIC).take.id for segment in project.segments]


def test_two_videos_have_two_pieces_and_one_video_always_the_same(tmp_path: Path) -> None:
    one, again, other = (project(tmp_path / name, print_) for name, print_ in (("a", "1"), ("b", "1"), ("c", "2")))
    assert piece_of(one) == piece_of(again)
    assert piece_of(one).seed != piece_of(other).seed
    assert ids(one) == ids(again) != ids(other)


def test_a_typed_seed_and_style_are_taken_as_they_are(tmp_path: Path) -> None:
    piece = piece_of(project(tmp_path / "a", seed=7, style="jazz"))
    assert (piece.seed, piece.style) == (7, Style.JAZZ)


def test_auto_chooses_by_what_is_said_and_not_by_an_edited_segment(tmp_path: Path) -> None:
    angry = {emotion: float(emotion is Emotion.ANGER) for emotion in EMOTIONS}
    said = replace(project(tmp_path / "a"), utterances=(Utterance(0.0, 9.0, "No!", "No!", angry),))
    assert piece_of(said).style in (Style.TRAILER, Style.ELECTRONIC, Style.ORCHESTRAL)
    assert said.timeline is not None
    edited = replace(said, timeline=said.timeline.set_emotion("s1", Emotion.SADNESS))
    assert piece_of(edited) == piece_of(said)


@pytest.mark.parametrize("change", [{"style": Style.JAZZ}, {"seed": 5}, {"prompt": "piano"}])
def test_only_the_edited_segment_is_made_again(tmp_path: Path, change: dict[str, object]) -> None:
    before = project(tmp_path / "a", style="lofi")
    assert before.timeline is not None
    after = replace(before, timeline=before.timeline.update("s1", **change))
    assert [a == b for a, b in zip(ids(before), ids(after), strict=True)] == [True, False, True]


def test_another_soundfont_is_another_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And another LoRA is none: the composer plays without."""
    made = project(tmp_path / "a")
    segment = made.segments[0]
    font = find_font()
    assert font is not None
    other = tmp_path / "mine.sf2"
    shutil.copy(font, other)

    def take(lora: str | None = None) -> str:
        options = EngineOptions(lora=lora)
        music = Music.of(engines.choose(Stage.MUSIC, "embedded", options), Activity())
        return order(made, piece_of(made), segment, 0, music).take.id

    before = take()
    assert take(lora="somebody/lora") == before
    monkeypatch.setenv("BGM_SOUNDFONT", str(other))
    assert take() != before


def take(name: str, engine: str = "embedded", number: int = 0) -> Take:
    return Take(name, engine, 1, f"takes/s1-{name}.flac", number)


def test_a_take_keeps_its_number() -> None:
    timeline = Timeline(9.0, (Segment("s1", 0.0, 9.0, Emotion.JOY),))
    for made in (take("a"), take("own", OWN_FILE), take("b"), take("a")):
        timeline = with_take(timeline, "s1", made)
    assert numbers(timeline["s1"].takes) == {"a": 1, "b": 2}
    # 1. Of a list in which others came and went, as by a snapshot, the next number is a new one.
    later = with_take(timeline.update("s1", takes=timeline["s1"].takes[2:]), "s1", take("c"))
    assert numbers(later["s1"].takes) == {"b": 2, "c": 3}
    # 2. Back where there were others: each has its own.
    assert numbers(with_takes_of(later.segments, timeline)["s1"].takes) == {"a": 1, "b": 2, "c": 3}
    rival = with_take(timeline.update("s1", takes=timeline["s1"].takes[:1]), "s1", take("x"))
    assert numbers(with_takes_of(rival.segments, timeline)["s1"].takes) == {"a": 1, "b": 2, "x": 3}
    # 3. The second half of a split goes on with take 2, and what is made for it is take 3.
    half = with_take(timeline.update("s1", takes=()), "s1", take("rest", number=2))
    assert numbers(with_take(half, "s1", take("new"))["s1"].takes) == {"rest": 2, "new": 3}


def test_the_takes_of_an_older_project_are_numbered_by_their_place() -> None:
    old = (take("a"), take("own", OWN_FILE), take("b"))
    timeline = Timeline(9.0, (Segment("s1", 0.0, 9.0, Emotion.JOY, takes=old),))
    assert numbers(old) == {"a": 1, "b": 2}
    assert numbers(with_take(timeline, "s1", take("c"))["s1"].takes) == {"a": 1, "b": 2, "c": 3}
