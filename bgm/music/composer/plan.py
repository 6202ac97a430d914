"""What all segments of one piece share, decided by the piece's seed alone: pulse, instruments, feel and motif."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bgm.music.composer.motif import Line, motif_for
from bgm.music.composer.seeds import stream


class Palette(StrEnum):
    """A family of instruments that runs through the piece."""

    CHAMBER = "chamber"
    BAND = "band"
    CINEMA = "cinema"


@dataclass(frozen=True, slots=True)
class Plan:
    """The piece as a whole."""

    seed: int
    pulse: float
    """Beats per minute of the neutral mood; the others are simple ratios of it."""
    palette: Palette
    swing: float
    """Where the second half of a beat falls: 0.5 is straight, 0.66 a shuffle."""
    motif: Line


def plan_for(piece_seed: int) -> Plan:
    """The plan of a piece."""
    rng = stream(piece_seed, "plan")
    pulse = rng.choice((84.0, 87.0, 90.0, 93.0, 96.0))
    palette = rng.choice(tuple(Palette))
    swing = rng.choice((0.5, 0.5, 0.54, 0.6)) if palette is Palette.BAND else 0.5
    return Plan(piece_seed, pulse, palette, swing, motif_for(piece_seed))
