"""Who plays: for each mood and palette the programs of every role, from the gentlest to the strongest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from bgm.music.composer.plan import Palette
from bgm.music.score import Role
from bgm.timeline import Emotion


@dataclass(frozen=True, slots=True)
class Ensemble:
    """One General MIDI program for each role that plays; the kit is always there, the mood decides if it is used."""

    programs: dict[Role, int]
    drums: bool = True

    def program(self, role: Role) -> int | None:
        """The program of a role, None where it doesn't play."""
        return self.programs.get(role)

    def without(self, *roles: Role) -> Ensemble:
        """The ensemble with some roles silent."""
        kept = {role: program for role, program in self.programs.items() if role not in roles}
        return replace(self, programs=kept, drums=self.drums and Role.DRUMS not in roles)

    def having(self, role: Role, program: int) -> Ensemble:
        """The ensemble with another instrument in a role."""
        return replace(self, programs=self.programs | {role: program})


_Row = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Choices of program for lead, counter, comp, arp, pad and bass."""
_COLUMNS = (Role.LEAD, Role.COUNTER, Role.COMP, Role.ARP, Role.PAD, Role.BASS)
_PLAYERS: dict[Emotion, dict[Palette, _Row]] = {
    Emotion.JOY: {
        Palette.CHAMBER: ((71, 73, 40), (68, 11), (24, 0, 45), (46, 45), (48,), (32, 43)),
        Palette.BAND: ((11, 26, 0), (73, 71), (24, 25, 27), (12, 4), (89, 48), (32, 33)),
        Palette.CINEMA: ((75, 73, 9), (40, 11), (45, 0), (12, 8, 108), (48, 50), (33, 38)),
    },
    Emotion.SURPRISE: {
        Palette.CHAMBER: ((71, 73), (8, 9), (45, 0), (46, 8), (48,), (32, 45)),
        Palette.BAND: ((11, 73, 56), (12, 9), (26, 4), (12, 11), (48, 89), (33, 32)),
        Palette.CINEMA: ((8, 9, 73), (12, 9), (45, 61), (12, 46), (52, 48), (38, 33)),
    },
    Emotion.NEUTRAL: {
        Palette.CHAMBER: ((0, 71, 46), (40, 71), (0, 24), (46, 0), (49, 48), (32, 43)),
        Palette.BAND: ((11, 26, 4), (73, 4), (4, 26), (24, 25), (89,), (35, 33)),
        Palette.CINEMA: ((0, 11, 108), (73, 49), (4, 99), (108, 0), (89, 88), (39, 35)),
    },
    Emotion.SADNESS: {
        Palette.CHAMBER: ((42, 69, 40), (68, 41), (0, 46, 24), (46, 0), (49, 48), (43, 42)),
        Palette.BAND: ((0, 26, 59), (73, 42), (4, 0), (24, 25), (89, 49), (35, 32)),
        Palette.CINEMA: ((0, 40, 42), (53, 69), (0, 99), (0, 46), (49, 91), (43, 39)),
    },
    Emotion.FEAR: {
        Palette.CHAMBER: ((8, 40, 71), (70, 46), (44,), (45, 46), (48, 44), (43, 42)),
        Palette.BAND: ((11, 27, 79), (4, 8), (44, 50), (28, 45), (92, 95), (35, 39)),
        Palette.CINEMA: ((10, 8, 14), (98, 52), (44,), (45, 8), (52, 93), (39, 43)),
    },
    Emotion.DISGUST: {
        Palette.CHAMBER: ((70, 71), (68, 58), (45,), (12, 45), (41, 48), (58, 43)),
        Palette.BAND: ((59, 70, 26), (12, 71), (28, 4), (45, 12), (92, 50), (58, 35)),
        Palette.CINEMA: ((70, 57), (107, 59), (45, 99), (12, 108), (93, 95), (39, 58)),
    },
    Emotion.ANGER: {
        Palette.CHAMBER: ((57, 61), (56, 60), (42, 48), (45, 42), (48, 44), (43, 42)),
        Palette.BAND: ((27, 29, 81), (61, 56), (28, 29, 30), (28, 34), (50, 48), (33, 34)),
        Palette.CINEMA: ((60, 61, 57), (56, 61), (48, 29, 30), (45, 38), (48, 52), (43, 38)),
    },
}
BOOM: dict[Emotion, int] = {
    Emotion.ANGER: 116,
    Emotion.FEAR: 47,
    Emotion.SURPRISE: 47,
    Emotion.SADNESS: 47,
    Emotion.DISGUST: 117,
    Emotion.JOY: 47,
    Emotion.NEUTRAL: 117,
}
"""The deep drum of swells, hits and endings."""


def ensemble_for(emotion: Emotion, palette: Palette, strength: float, rng: Random) -> Ensemble:
    """Choose the players; the strongest instruments only play in a strongly felt mood."""
    programs: dict[Role, int] = {}
    for role, choices in zip(_COLUMNS, _PLAYERS[emotion][palette], strict=True):
        allowed = choices if strength > 0.7 else choices[: max(1, len(choices) - 1)]
        programs[role] = rng.choice(allowed)
    if programs[Role.COUNTER] == programs[Role.LEAD]:
        programs[Role.COUNTER] = programs[Role.PAD]
    programs[Role.BOOM] = BOOM[emotion]
    return Ensemble(programs)
