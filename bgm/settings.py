"""What a creator may set for a project; the same fields stand under ``settings`` in project.json."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

from bgm.errors import BadInput
from bgm.timeline import Style

LOUDNESS_PRESETS = {"youtube": -14.0, "apple": -16.0, "ebu": -23.0}
"""Integrated loudness that the platforms aim at, LUFS (EBU R 128; Apple Podcasts; YouTube's normalisation)."""
EVERY_TRACK = "mix"
MOST_TRACKS = 64
"""Sound tracks that a number can name: more streams are refused in a file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Engines as ``auto`` or ``NAME[:MODEL]``; times in seconds; loudness in LUFS (None: as it comes)."""

    separator: str = "auto"
    transcriber: str = "auto"
    classifier: str = "auto"
    music: str = "auto"
    subtitles: str | None = None
    language: str | None = None
    initial_prompt: str | None = None
    """For Whisper: names and words to expect."""
    min_segment: float | Literal["auto"] = "auto"
    """Shortest emotion that counts, in seconds; auto follows the length of the phrases."""
    takes: int = 1
    seed: int | Literal["auto"] = "auto"
    """Of the piece that the video gets; auto follows from the video itself, so that no two videos share one."""
    style: str = "auto"
    """One of ``bgm.timeline.Style``; auto chooses by the video."""
    lora: str | None = None
    cuts: bool = False
    """Let the music land on the picture's cuts."""
    audio_track: str = "auto"
    """Which of the video's sound tracks: a number from 1 in the order of the file, ``mix`` (all) or ``auto``."""
    lufs: float | None = -14.0
    duck: bool = True
    duck_depth_db: float | None = None
    keep_original: bool = False
    device: str = "auto"
    offline: bool = False

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise BadInput(problem)

    def changed(self, **changes: Any) -> Settings:
        """The same with every change that is not None; raises BadInput, in one sentence, for an impossible value."""
        known = {f.name for f in fields(self)}
        unknown = set(changes) - known
        if unknown:
            raise BadInput(f"there is no setting {', '.join(sorted(unknown))}")
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def is_audio_track(text: str) -> bool:
    """Is it ``auto``, ``mix`` or a number of a sound track?"""
    numbered = text.isascii() and text.isdecimal() and len(text) < 4
    return text in ("auto", EVERY_TRACK) or (numbered and 1 <= int(text) <= MOST_TRACKS and text[0] != "0")


def _is_seed(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def _problem(settings: Settings) -> str | None:
    s = settings
    checks = (
        (
            s.min_segment == "auto" or (math.isfinite(s.min_segment) and 0 <= s.min_segment <= 3600),
            "min-segment must be auto or 0 to 3600 seconds",
        ),
        (1 <= s.takes <= 16, "takes must be 1 to 16"),
        (s.seed == "auto" or _is_seed(s.seed), "seed must be auto or 0 to 4294967295"),
        (s.style in ("auto", *Style), f"there is no style {str(s.style)[:40]!r}; choose auto, {', '.join(Style)}"),
        (is_audio_track(s.audio_track), f"audio-track must be auto, mix or a number from 1 to {MOST_TRACKS}"),
        (s.lufs is None or -60 <= s.lufs <= -5, "lufs must be between -60 and -5"),
        (s.duck_depth_db is None or -40 <= s.duck_depth_db <= 0, "the ducking depth must be -40 to 0 dB"),
        (s.device in {"auto", "cpu", "cuda", "mps"}, "device must be auto, cpu, cuda or mps"),
    )
    return next((sentence for holds, sentence in checks if not holds), None)
