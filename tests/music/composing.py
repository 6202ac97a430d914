"""Cues for the tests of the composer."""

from __future__ import annotations

from bgm.media.audio import SAMPLE_RATE
from bgm.music.score import Cue, Piece
from bgm.timeline import Emotion, Style


def cue(emotion: Emotion = Emotion.JOY, seconds: float = 30.0, **changes: object) -> Cue:
    """A cue in the middle of a piece, felt fully; ``piece`` is the piece's seed, ``style`` its style."""
    fields: dict[str, object] = {
        "frames": round(seconds * SAMPLE_RATE),
        "emotion": emotion,
        "confidence": 1.0,
        "prompt": "",
        "seed": 1,
        "opening": False,
        "ending": False,
    }
    style = Style(changes.pop("style", Style.ACOUSTIC))  # type: ignore[arg-type]
    piece = Piece(int(changes.pop("piece", 7)), 120.0, style)  # type: ignore[call-overload]
    return Cue(piece=piece, **(fields | changes))  # type: ignore[arg-type]
