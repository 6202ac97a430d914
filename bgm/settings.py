"""The settings of a project; the same fields are under ``settings`` in project.json.

Each field carries its card: allowed values, name in the shell, who may change it. The shell's options, the page's
controls and checks, what a project file may contain and the table in docs/project.md are derived from the cards, so a
new setting is a field here and the code that reads it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from bgm.errors import BadInput
from bgm.timeline import PROMPT_LENGTH, SEEDS, Style

LOUDNESS_PRESETS = {"youtube": -14.0, "apple": -16.0, "ebu": -23.0}
"""Target integrated loudness of the platforms, LUFS (EBU R 128; Apple Podcasts; YouTube's normalisation)."""
AUTO = "auto"
ENERGIES = ("calm", "energetic")
"""Words that the composer understands."""
EVERY_TRACK = "mix"
MOST_TRACKS = 64
"""Largest track number: files with more streams are rejected."""
Device = Literal["auto", "cpu", "cuda", "mps"]
Group = Literal["analysis", "music", "mix", "machine"]


@dataclass(frozen=True, slots=True)
class Card:
    """The metadata of a setting, beside its name, type and default."""

    help: str
    """For the shell and the docs."""
    group: Group
    """The step that it belongs to. ``machine``: it belongs to the machine and is never written to the project."""
    metavar: str = ""
    """Placeholder for the value in the shell's help; a switch has none."""
    flag: str = ""
    """The shell's name for it, if it differs from the field's."""
    words: tuple[str, ...] = ()
    """For a number: words allowed in its place. Otherwise: all allowed values."""
    named: Mapping[str, float | None] = field(default_factory=dict)
    """Names that the shell accepts for numbers."""
    bounds: tuple[float, float] | None = None
    """Minimum and maximum of a number."""
    page_bounds: tuple[float, float] | None = None
    """Narrower bounds for strangers on the page: what one user may ask of a server."""
    unit: str = ""
    pattern: str = ""
    """Of a text."""
    longest: int = 0
    """Maximum characters of a text; 0: no limit."""
    called: str = ""
    """What the text must be, for error messages."""
    engine: str = ""
    """The stage whose engine it names, as ``auto`` or ``NAME[:MODEL]``."""
    on_page: bool = False
    """Whether the page and the API may change it."""
    of_export: bool = False
    """Whether it is of the finished file, not of the timeline and its music: snapshots and undo leave it as it is."""
    portable: bool = True
    """Whether a project file may contain it. Files, models and devices are for the server to name."""


def _card(default: Any, **known: Any) -> Any:
    return field(default=default, metadata={"card": Card(**known)})


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds; loudness in LUFS. Raises BadInput, in one sentence, for an invalid value."""

    separator: str = _card(
        AUTO, help="engine that separates the voice", group="analysis", engine="separate", portable=False
    )
    transcriber: str = _card(
        AUTO,
        help="engine that transcribes the speech",
        group="analysis",
        engine="transcribe",
        on_page=True,
        portable=False,
    )
    classifier: str = _card(
        AUTO, help="engine that classifies the emotions", group="analysis", engine="classify", portable=False
    )
    music: str = _card(
        AUTO, help="engine that makes the music", group="music", engine="music", on_page=True, portable=False
    )
    subtitles: str | None = _card(
        None, help="an .srt or .vtt file to use as the transcript", group="analysis", metavar="FILE", portable=False
    )
    language: str | None = _card(
        None,
        help="language of the speech (default: detected)",
        group="analysis",
        metavar="CODE",
        pattern="[a-z]{2,3}",
        called="a code of two or three letters, such as en or ko",
        on_page=True,
    )
    initial_prompt: str | None = _card(
        None, help="names and terms that Whisper should expect", group="analysis", metavar="WORDS", portable=False
    )
    min_segment: float | Literal["auto"] = _card(
        AUTO,
        help="shortest emotion that counts, as in ET-BGM (auto is half a typical phrase, 2 to 5 s)",
        group="analysis",
        metavar="SECONDS",
        words=(AUTO,),
        bounds=(0, 3600),
        page_bounds=(0, 30),
        unit="seconds",
        on_page=True,
    )
    takes: int = _card(
        1, help="takes per segment", group="music", metavar="N", bounds=(1, 16), page_bounds=(1, 4), on_page=True
    )
    seed: int | Literal["auto"] = _card(
        AUTO,
        help="each seed gives another piece (auto is derived from the video)",
        group="music",
        metavar="N",
        words=(AUTO,),
        bounds=SEEDS,
        on_page=True,
    )
    style: str = _card(
        AUTO,
        help="style of the music (auto fits the video)",
        group="music",
        metavar="NAME",
        words=(AUTO, *Style),
        on_page=True,
    )
    energy: str = _card(
        AUTO,
        help="energy of the music throughout (auto follows the speech)",
        group="music",
        metavar="NAME",
        words=(AUTO, *ENERGIES),
        on_page=True,
    )
    words: str = _card(
        "",
        help="the music of the whole video in your own words: key, tempo, instruments, moods",
        group="music",
        metavar="WORDS",
        pattern=r"[^\x00-\x1f]*",
        longest=PROMPT_LENGTH,
        called="a text in one line",
        on_page=True,
    )
    lora: str | None = _card(
        None, help="LoRA for riffusion; @WEIGHT may follow", group="music", metavar="ID|FILE|none", portable=False
    )
    cuts: bool = _card(False, help="align the music with the picture's cuts", group="music")
    audio_track: str = _card(
        AUTO,
        help="audio track, numbered from 1 in file order (mix is all of them, auto the one with speech)",
        group="analysis",
        metavar="N|mix",
        words=(AUTO, EVERY_TRACK),
        bounds=(1, MOST_TRACKS),
        on_page=True,
    )
    lufs: float | None = _card(
        LOUDNESS_PRESETS["youtube"],
        help="target loudness of the finished audio",
        group="mix",
        metavar="N",
        named={**LOUDNESS_PRESETS, "none": None},
        bounds=(-60, -5),
        unit="LUFS",
        on_page=True,
        of_export=True,
    )
    duck: bool = _card(True, help="lower the music under speech", group="mix", on_page=True)
    duck_depth_db: float | None = _card(
        None,
        help="how far to lower it (default: as far as this voice needs)",
        group="mix",
        metavar="DB",
        flag="duck-depth",
        bounds=(-40, 0),
        unit="dB",
    )
    keep_original: bool = _card(
        False, help="keep the original audio as a second track", group="mix", on_page=True, of_export=True
    )
    subtitle_track: bool = _card(
        False, help="add the transcript as a subtitle track, off by default", group="mix", on_page=True, of_export=True
    )
    device: str = _card(
        AUTO,
        help="device that runs the models",
        group="machine",
        metavar="NAME",
        words=get_args(Device),
        portable=False,
    )
    offline: bool = _card(False, help="make no network requests", group="machine", portable=False)

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            setting.check(getattr(self, setting.name))

    def on_machine(self, here: Settings) -> Settings:
        """A copy with the device and the offline switch of ``here``."""
        return replace(self, **{name: getattr(here, name) for name in _OF_MACHINE})


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of Settings: its card and its types."""

    name: str
    default: Any
    card: Card
    types: frozenset[Any]
    """Of ``bool``, ``int``, ``float``, ``str`` and ``NoneType``."""

    @property
    def flag(self) -> str:
        """``min-segment``, as in the shell and the messages."""
        return self.card.flag or self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        return bool in self.types

    @property
    def is_number(self) -> bool:
        return bool(self.types & {int, float})

    def check(self, value: object, bounds: tuple[float, float] | None = None) -> None:
        """Raise BadInput, saying what is allowed, for an invalid value; ``bounds`` override the card's."""
        bounds = bounds or self.card.bounds
        if not self._may_be(value, bounds):
            raise BadInput(f"{self.flag} must be {self.allowed(bounds)}")

    def from_page(self, value: Any) -> Any:
        """The value that a browser sent, converted to the field's type. Raises BadInput for an invalid one."""
        # JSON from a browser knows only one kind of number: 3 may arrive as 3.0.
        if isinstance(value, float) and value.is_integer() and int in self.types:
            value = int(value)
        value = None if value == "" and type(None) in self.types else value
        self.check(value, self.card.page_bounds)
        return float(value) if isinstance(value, int) and float in self.types else value

    def allowed(self, bounds: tuple[float, float] | None = None) -> str:
        """The allowed values in words: ``auto or 0 to 3600 seconds``."""
        card = self.card
        if self.is_switch:
            return "on or off"
        choices = [*card.words, *card.named]
        if bounds:
            whole = "a whole number from " if float not in self.types else ""
            choices.append(f"{whole}{bounds[0]:.10g} to {bounds[1]:.10g} {card.unit}".strip())
        elif not card.words:
            choices.append((card.called or "a text") + (f", at most {card.longest} characters" if card.longest else ""))
        return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))

    def read(self, text: str) -> Any:
        """Parse a command-line value. Raises BadInput for an invalid one."""
        if text in self.card.named:
            return self.card.named[text]
        if not self.is_number or text in self.card.words:
            return text
        try:
            return float(text) if float in self.types else int(text)
        except ValueError as error:
            raise BadInput(f"{self.flag} must be {self.allowed(self.card.bounds)}; not {text[:40]!r}") from error

    def _may_be(self, value: object, bounds: tuple[float, float] | None) -> bool:
        if value is None:
            return type(None) in self.types
        if self.is_switch:
            return isinstance(value, bool)
        if isinstance(value, str):
            return (str in self.types and self._may_say(value, bounds)) or (self.is_number and value in self.card.words)
        # bool first: in Python True is an int, and "takes: true" would pass for 1.
        if isinstance(value, bool) or not (self.is_number and isinstance(value, int | float)):
            return False
        is_whole = isinstance(value, int) or float in self.types
        return is_whole and math.isfinite(value) and (bounds is None or bounds[0] <= value <= bounds[1])

    def _may_say(self, text: str, bounds: tuple[float, float] | None) -> bool:
        card = self.card
        # A number as a text, as for the audio track: no sign, no leading zero, nine digits at most, so that int() is
        # never given a megabyte of digits.
        if bounds and re.fullmatch("[1-9][0-9]{0,8}", text):
            return bounds[0] <= int(text) <= bounds[1]
        if card.words:
            return text in card.words
        is_short = not card.longest or len(text) <= card.longest
        return is_short and re.fullmatch(card.pattern or "(?s:.*)", text) is not None


def _settings() -> dict[str, Setting]:
    hints = get_type_hints(Settings)
    return {
        f.name: Setting(f.name, f.default, f.metadata["card"], frozenset(_plain_types(hints[f.name])))
        for f in fields(Settings)
    }


def _plain_types(hint: Any) -> list[Any]:
    """``float | Literal["auto"]`` → float: the words are on the card."""
    return [t for t in get_args(hint) or (hint,) if isinstance(t, type)]


SETTINGS: Mapping[str, Setting] = _settings()
"""Every setting by its name, in the order of the fields."""
_OF_MACHINE = [name for name, setting in SETTINGS.items() if setting.card.group == "machine"]


def table() -> str:
    """The project's settings as the Markdown table of docs/project.md."""
    rows = ["| setting | default | may be | option | meaning |", "|---|---|---|---|---|"]
    for setting in SETTINGS.values():
        if setting.card.group != "machine":
            option = f"--{'[no-]' if setting.is_switch else ''}{setting.flag}"
            begins = f"| `{setting.name}` | `{json.dumps(setting.default)}` | {_may_be(setting)} "
            rows.append(f"{begins}| `{option}` | {setting.card.help} |")
    return "\n".join(rows)


def _may_be(setting: Setting) -> str:
    if setting.is_switch:
        return "true or false"
    null = ", or null" if type(None) in setting.types else ""
    if setting.card.engine:
        return "auto or an engine, `NAME[:MODEL]`"
    plain = replace(setting, card=replace(setting.card, named={}))
    return plain.allowed(setting.card.bounds) + null
