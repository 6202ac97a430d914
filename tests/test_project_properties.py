"""Every project comes back from project.json as it was; a damaged project.json is one sentence, never a traceback."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bgm import project as projects
from bgm.errors import BadInput
from bgm.project import EngineUse, Project
from bgm.settings import Settings
from bgm.timeline import EMOTIONS, MIN_LENGTH, Segment, Style, Take, Timeline, Utterance

FOLDER = Path("/srv/project")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UNIT = st.floats(0, 1)


@st.composite
def utterances(draw: st.DrawFn) -> tuple[Utterance, ...]:
    times = sorted(draw(st.lists(st.floats(0, 1000), max_size=8, unique=True)))
    scores = st.none() | st.fixed_dictionaries(dict.fromkeys(EMOTIONS, UNIT))
    pairs = zip(times[::2], times[1::2], strict=False)
    return tuple(Utterance(a, b, draw(TEXT), draw(TEXT), draw(scores)) for a, b in pairs)


@st.composite
def segments(draw: st.DrawFn) -> tuple[Segment, ...]:
    lengths = draw(st.lists(st.floats(MIN_LENGTH, 500), max_size=5))
    edges = [0.0, *itertools.accumulate(lengths)]
    return tuple(draw(segment(f"s{n}", a, b)) for n, (a, b) in enumerate(itertools.pairwise(edges)))


@st.composite
def segment(draw: st.DrawFn, name: str, start: float, end: float) -> Segment:
    names = draw(st.lists(st.text("abcdef0123456789", min_size=1, max_size=16), max_size=3, unique=True))
    takes = tuple(Take(n, draw(TEXT), draw(st.integers(0, 2**32 - 1)), f"takes/{name}-{n}.flac") for n in names)
    return Segment(
        *(name, start, end, draw(st.sampled_from(EMOTIONS)), draw(UNIT), draw(st.sampled_from(["auto", "user"]))),
        *(draw(TEXT), draw(st.integers(0, 2**32 - 1)), draw(st.floats(-60, 24)), draw(st.booleans())),
        *(draw(st.booleans()), draw(st.sampled_from([None, *names])), takes),
    )


SETTINGS = st.builds(
    Settings,
    subtitles=st.none() | TEXT,
    min_segment=st.just("auto") | st.floats(0, 3600),
    takes=st.integers(1, 16),
    seed=st.just("auto") | st.integers(0, 2**32 - 1),
    style=st.sampled_from(["auto", *Style]),
    lufs=st.none() | st.floats(-60, -5),
    duck=st.booleans(),
    duck_depth_db=st.none() | st.floats(-40, 0),
)


NOTES = st.dictionaries(st.sampled_from(projects.NOTED), st.lists(TEXT, max_size=3).map(tuple))


@st.composite
def project_values(draw: st.DrawFn) -> Project:
    parts = draw(segments())
    duration = parts[-1].end if parts else draw(st.floats(0.01, 86400))
    engines = draw(st.dictionaries(st.sampled_from(["music", "classify"]), st.builds(EngineUse, TEXT, TEXT)))
    timeline = Timeline(duration, parts) if parts else None
    return Project(
        *(FOLDER, draw(st.sampled_from(["talk.mp4", "source/여름 clip.mp4", "/srv/a.mkv"])), duration),
        *(draw(st.none() | TEXT), draw(utterances()), timeline, engines, draw(SETTINGS), draw(NOTES)),
    )


@settings(max_examples=100, deadline=None)
@given(project_values())
def test_a_project_comes_back_as_it_was(project: Project) -> None:
    text = projects.dumps(project)
    again = projects.loads(text, FOLDER)
    assert again == project
    assert projects.dumps(again) == text


def refused_or_whole(text: str) -> None:
    """The rule for any text: one sentence for a person, or a project that can be saved and read again."""
    try:
        project = projects.loads(text, FOLDER)
    except BadInput as error:
        assert str(error).isprintable()
        assert str(error).startswith(str(FOLDER / projects.FILE))
        assert len(str(error)) < 400
        return
    assert projects.loads(projects.dumps(project), FOLDER) == project
    assert all(math.isfinite(u.end) for u in project.utterances) and math.isfinite(project.duration)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@settings(max_examples=150, deadline=None)
@given(project_values(), st.data())
def test_one_value_exchanged_for_any_other_is_refused_or_means_something(project: Project, data: st.DataObject) -> None:
    document = json.loads(projects.dumps(project))
    holder, key = data.draw(st.sampled_from(places(document)))
    holder[key] = data.draw(JSON)
    refused_or_whole(json.dumps(document))


@settings(max_examples=100, deadline=None)
@given(project_values(), st.data())
def test_text_that_was_cut_or_overwritten_is_one_sentence(project: Project, data: st.DataObject) -> None:
    text = projects.dumps(project)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    refused_or_whole(text[:start] + data.draw(st.text(max_size=10)) + text[end:])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Settings.__dataclass_fields__)), JSON, max_size=3))
def test_any_settings_are_refused_or_possible(values: dict[str, Any]) -> None:
    document = json.loads(projects.dumps(Project(FOLDER, "a.mp4", 1.0)))
    document["settings"] |= values
    refused_or_whole(json.dumps(document))


def test_json_as_deep_as_it_will_and_numbers_as_long() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, '{"version": ' + "1" * 10_000 + "}", '{"duration": 1e999}'):
        refused_or_whole(text)
