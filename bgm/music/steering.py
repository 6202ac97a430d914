"""The direction as far as the composer's present parts can follow it: character and players."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgm.music.composer.ensembles import Ensemble
from bgm.music.composer.moods import Character
from bgm.music.direction import Direction, read
from bgm.music.score import Role
from bgm.timeline import Emotion


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for."""

    direction: Direction

    def feeling(self, emotion: Emotion) -> Emotion:
        """The mood to play where the video's is ``emotion``."""
        return self.direction.feeling(emotion)

    def applied(self, mood: Character) -> Character:
        """The mood's character, faster, busier, louder or higher as wished."""
        asked = self.direction
        return replace(
            mood,
            pulse=mood.pulse * asked.tempo_factor,
            density=_unit(mood.density + 0.25 * asked.density),
            loudness=_unit(mood.loudness + 0.15 * asked.loudness),
            register=mood.register + 7.0 * asked.register,
        )

    def cast(self, ensemble: Ensemble) -> Ensemble:
        """The ensemble with the wished instruments, and without the unwished."""
        asked = self.direction
        for role, program in asked.instruments:
            ensemble = ensemble.having(role, program)
        if asked.solo and asked.instruments:
            own = dict(asked.instruments)
            first = asked.instruments[0][1]
            ensemble = Ensemble({Role.LEAD: first, Role.COMP: first, Role.ARP: first} | own, drums=False)
        unwished = [role for role, program in ensemble.programs.items() if program in asked.without_programs]
        if set(unwished) >= {Role.COMP, Role.LEAD}:  # something must still carry the piece
            return ensemble.without(*unwished, *asked.without).having(Role.PAD, 89)
        return ensemble.without(*unwished, *asked.without)


def wishes(prompt: str) -> Wishes:
    """What a prompt asks for."""
    return Wishes(read(prompt))


def _unit(value: float) -> float:
    return min(1.0, max(0.05, value))
