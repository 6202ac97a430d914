"""What a user of the server does in one round, and how it knows that what it got is its own."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

from bgm.media.probe import probe
from tests.faults.clips import LINES, clip
from tests.faults.tab import Tab, View
from tests.faults.tree import content

COLOURS = ("navy", "maroon", "olive", "teal", "purple", "gray", "orange", "brown", "pink", "gold")
SETTINGS = {"min_segment": 1.0}
PATIENCE_S = 300.0
"""For one answer: with 20 users on a busy machine it may take a while, and nothing here is timed."""
EDITS = 6
"""Of each of two tabs."""


@dataclass(frozen=True)
class User:
    """Somebody with a video like no other's."""

    number: int
    url: str
    video: Path
    words: tuple[str, ...]
    seconds: float
    client: Client
    wanted: str = ""
    """The content of the finished video, as it was when nobody else was there."""

    @property
    def files(self) -> tuple[Path, Path]:
        return self.video, self.video.with_suffix(".srt")

    @property
    def edit(self) -> View:
        """Half of the users hear their first line in another way."""
        return {"op": "emotion", "id": "s1", "emotion": "surprise" if self.number % 2 else "disgust"}

    def close(self) -> None:
        self.client.close()


def alone(number: int, folder: Path, url: str) -> User:
    """User ``number``, who has been on the server once."""
    first, second = LINES[number % len(LINES)], LINES[(number // 2 + 1) % len(LINES)]
    words = (f"{first} My name is number {number}.", f"{second} It was day {number + 1} of my journey.")
    start, length = 1.5 * (number % 10), 4.0 + number / 4
    place = folder / f"user-{number}" / f"holiday {number}.mp4"
    video = clip(place, length, words, start=start, colour=COLOURS[number % len(COLOURS)])
    downloads = folder / f"user-{number}" / "downloads"
    client = Client(url, verbose=False, download_files=downloads, httpx_kwargs={"timeout": PATIENCE_S})
    user = User(number, url, video, words, probe(video).duration, client)
    return User(number, url, video, words, user.seconds, client, _result_as_program(user))


def draw(chance: random.Random, odds: Mapping[str, int]) -> str:
    """One of the kinds."""
    return chance.choices(list(odds), list(odds.values()))[0]


# What a user does ----------------------------------------------------------------------------------------------------


def program(user: User, chance: random.Random) -> None:
    """The whole way by the named endpoints."""
    _same("the result", _result_as_program(user), user.wanted)


def page(user: User, chance: random.Random) -> None:
    """The whole way on the page, down to the download."""
    tab = Tab(user.url)
    try:
        _begin(user, tab)
        _fair(tab.run("analyze"))
        tab.call("edit", gestures=[user.edit])
        _fair(tab.run("compose"))
        _fair(tab.run("render"))
        _own(user, _restored(user, tab.project))
        downloaded = user.video.with_name(f"download {time.monotonic_ns()}.mp4")
        downloaded.write_bytes(tab.download("result"))
        _same("the download", content(downloaded), user.wanted)
        downloaded.unlink()
    finally:
        tab.close()


def leave(user: User, chance: random.Random) -> None:
    """The tab is closed in the middle of a step, which goes on without it; another tab finds the project again."""
    tab = Tab(user.url)
    _begin(user, tab)
    left_after = chance.randrange(1, 8)
    for seen, _ in enumerate(tab.steps("analyze")):
        if seen == left_after:
            break
    tab.close()
    _own(user, _restored(user, tab.project), analyzed=False)


def stop(user: User, chance: random.Random) -> None:
    """The step is stopped at some moment; the same step again goes on to the end."""
    tab = Tab(user.url)
    try:
        _begin(user, tab)
        with ThreadPoolExecutor(1) as beside:
            stopping = beside.submit(_stop_after, tab, chance.uniform(0.1, 4.0))
            seen = tab.run("analyze")
            stopping.result()
        if seen[-1]["state"] == "stopped":
            _fair(tab.run("analyze"))
        _own(user, tab.open(tab.project))
    finally:
        tab.close()


def two_tabs(user: User, chance: random.Random) -> None:
    """Two tabs edit the same project while its music is made: no edit is dropped."""
    one, other = Tab(user.url), Tab(user.url)
    try:
        _begin(user, one)
        one.run("analyze")
        segments = other.open(one.project)["segments"]
        first, last = segments[0]["id"], segments[-1]["id"]
        gains, prompts = [-0.5 - step for step in range(EDITS)], [f"a piano, slower by {n}" for n in range(EDITS)]
        with ThreadPoolExecutor(3) as beside:
            music = beside.submit(one.run, "compose")
            edits = (
                beside.submit(_set, one, first, "gain_db", gains),
                beside.submit(_set, other, last, "prompt", prompts),
            )
            for work in (music, *edits):
                work.result()
        view = other.open(one.project)
        _own(user, view)
        now = {s["id"]: s for s in view["segments"]}
        _same("the edits", (now[first]["gain_db"], now[last]["prompt"]), (gains[-1], prompts[-1]))
        _same("the number of undoes", view["history"]["undo"], 2 * EDITS)
        _same("segments without music", [s["id"] for s in view["segments"] if not s["takes"]], [])
    finally:
        one.close()
        other.close()


Journey = Callable[[User, random.Random], None]
JOURNEYS: Mapping[str, Journey] = {
    "program": program,
    "page": page,
    "leave": leave,
    "stop": stop,
    "two tabs": two_tabs,
}


def _result_as_program(user: User) -> str:
    """The content of the finished video."""
    video, subtitles = map(handle_file, user.files)
    call = user.client.predict
    document = call(video=video, subtitles=subtitles, settings=SETTINGS, api_name="/analyze")
    project = document["project"]
    _own(user, document)
    edited = call(project=project, edits=[user.edit], api_name="/edit")
    _same("the edit", edited["segments"][0]["emotion"], user.edit["emotion"])
    scored = call(project=project, segments=None, another=False, api_name="/compose")
    _same("segments without music", [s["id"] for s in scored["segments"] if not s["chosen"]], [])
    video = Path(call(project=project, api_name="/render"))
    found = content(video)
    video.unlink()
    return found


def _begin(user: User, tab: Tab) -> None:
    _own(user, tab.begin(user.files), analyzed=False)
    tab.call("set_settings", changes=SETTINGS)


def _restored(user: User, project: str) -> View:
    """As another tab sees it now."""
    tab = Tab(user.url)
    try:
        return tab.open(project)
    finally:
        tab.close()


def _stop_after(tab: Tab, seconds: float) -> None:
    time.sleep(seconds)
    tab.call("stop")


def _set(tab: Tab, segment: str, name: str, values: Sequence[object]) -> None:
    """One edit after the other; each value differs from the one before, or it would be none."""
    for value in values:
        tab.call("edit", gestures=[{"op": "set", "id": segment, "field": name, "value": value}])


# Whether it is its own -----------------------------------------------------------------------------------------------


def _own(user: User, document: Mapping[str, Any], *, analyzed: bool = True) -> None:
    """The length is the user's video's, and the words are its own (once they were read)."""
    _same("the length", round(document["duration"], 3), round(user.seconds, 3))
    if analyzed:
        _same("the words", tuple(u["text"] for u in document["utterances"]), user.words)


def _fair(seen: Sequence[View]) -> None:
    """Who waits only moves forward, and the step ends well."""
    positions = [view["position"] for view in seen]
    if positions != sorted(positions, reverse=True):
        raise AssertionError(f"somebody came in between: {positions}")
    _same("the end of the step", seen[-1]["state"], "done")


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found} instead of {wanted}")
