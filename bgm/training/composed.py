"""Music without anybody else's rights: our own composer's, every mood and style, with labels that are true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from bgm.engines import EngineOptions
from bgm.errors import EngineUnavailable
from bgm.media.audio import frames_of
from bgm.music.composer.instruments import GENERAL_MIDI
from bgm.music.cue import Cue, Piece
from bgm.music.embedded import EmbeddedComposer, compose, render
from bgm.music.riffusion.prompts import BACKGROUND, WORDS
from bgm.music.score import Role, Score
from bgm.music.soundfont import find_font
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion, Style
from bgm.training.tracks import Track

SECONDS = 30.0
"""Of a piece: room for several crops."""
FIRST_SEED = 1000
STYLES = tuple(Style)


@dataclass(frozen=True, slots=True)
class Composed(Track):
    """A piece to be composed. ``path`` is the soundfont that plays it."""

    style: Style = Style.ACOUSTIC
    seed: int = 0

    @property
    def identity(self) -> list[Any]:
        """The composer's revision, the cue and the font decide the pictures."""
        return ["composed", EmbeddedComposer.revision, self.name, self.seed, self.emotion, self.style, self.path.name]

    def sound(self, target: Path) -> Self:
        """Compose and play; the track then knows who plays in it, and its tempo."""
        cue = _cue(self)
        score = compose(cue)
        render(score, target, cue.frames, silent, self.path)
        return replace(self, tags=(*self.tags, *_instruments(score), BACKGROUND), tempo=score.tempo)


def pieces(count: int, fonts: Sequence[Path]) -> list[Composed]:
    """``count`` pieces, taking turns through the moods, the styles and the soundfonts (or the usual font).

    Raises EngineUnavailable where nothing can play them, and BadInput for a font that isn't there.
    """
    for font in fonts:
        find_font(str(font))
    usual = find_font()
    players = list(fonts) or ([usual] if usual else [])
    why = EmbeddedComposer.missing(EngineOptions(model=str(players[0]) if players else None))
    if why:
        raise EngineUnavailable(f"music can't be composed here: {why}")
    return [_piece(number, players) for number in range(count)]


def _piece(number: int, fonts: Sequence[Path]) -> Composed:
    """Each has a seed, so a key and a motif, of its own: none in validation is the variation of one in training."""
    emotion, turn = EMOTIONS[number % len(EMOTIONS)], number // len(EMOTIONS)
    style = STYLES[turn % len(STYLES)]
    font = fonts[(turn + turn // len(STYLES)) % len(fonts)]
    return Composed(
        name=f"composed {number:05d}",
        path=font,
        licence="CC0-1.0",
        emotion=emotion.value,
        tags=(*WORDS[emotion].mood.split(", "), style.value),
        title=f"{emotion} {turn}",
        artist="BGM Studio's composer",
        source=f"{style}, seed {number}, soundfont {font.name}",
        style=style,
        seed=number,
    )


def _instruments(score: Score) -> list[str]:
    """Who plays, by General MIDI's names; the drums where there are any."""
    playing = {part.role for part in score.parts if part.role is not Role.DRUMS}
    names = [GENERAL_MIDI[part.program].name for part in score.parts if part.role in playing]
    return list(dict.fromkeys([*names, *(["drums"] if len(playing) < len(score.parts) else [])]))


def _cue(piece: Composed) -> Cue:
    """From the middle of a piece: neither an opening nor an ending."""
    number, frames = FIRST_SEED + piece.seed, frames_of(SECONDS)
    whole = Piece(number, SECONDS, piece.style)
    return Cue(whole, frames, Emotion(piece.emotion), 1.0, "", number, opening=False, ending=False)
