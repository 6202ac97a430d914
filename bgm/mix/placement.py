"""The plan of a mix, and its music bus: takes at their absolute samples, joined by crossfades, readable anywhere.

Takes are as long as their segment, so a crossfade needs more sound than a take has: it is continued beyond its edge. A
longer take goes on with its own sound instead. A shorter one (a file of the creator's own) is repeated, crossfaded at
the seam; one too short for that (under half a second) is heard once. Fades depend on the absolute position on the
timeline, not on the block that they are computed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from bgm.errors import BadInput
from bgm.media import audio
from bgm.media.audio import SAMPLE_RATE, Audio, frames_of, to_mono
from bgm.media.signal import FRAME

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """A take (48 kHz FLAC; None for silence) that fills [start_frame, start_frame + frames) of the timeline.

    Fades are in frames. An edge with a fade ends there; one without is crossfaded with its neighbour.
    """

    start_frame: int
    frames: int
    take: Path | None
    gain_db: float = 0.0
    fade_in: int = 0
    fade_out: int = 0


@dataclass(frozen=True, slots=True)
class MixSettings:
    """Loudness and ducking. ``lufs`` None leaves the loudness as it is; the true peak is limited all the same."""

    lufs: float | None = -14.0
    true_peak_db: float = -1.0
    duck: bool = True
    depth_db: float | None = None
    """None: as much as it takes to be 18–20 LU below the voice during speech; else a fixed depth such as -8."""


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Placements are contiguous and cover ``frames``. ``voice`` is None if the video has no sound."""

    frames: int
    placements: tuple[Placement, ...]
    voice: Path | None
    speech: Spans
    """Where the voice speaks, seconds."""
    settings: MixSettings = MixSettings()


@dataclass(frozen=True, slots=True)
class MixReport:
    """The result by our own BS.1770 meter; None if there is nothing to measure (silence)."""

    lufs: float | None
    true_peak_db: float | None
    under_speech_lu: float | None
    """How far the music lies under the voice while it speaks."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: that the loudness asked for was not reached, and why."""


MATCH = frames_of(0.02)
"""Frames that are compared and blended at a splice."""
SEARCH = frames_of(1.0)
"""Frames searched for a place that resembles the edge: a beat, down to 60 a minute."""


@dataclass(frozen=True, slots=True)
class Sound:
    """An audio file ``frames`` long: a take, a stem or a file of the creator's own."""

    path: Path
    frames: int
    written: int = 0
    """Modification time in ns: two equal sounds have the same samples."""

    @classmethod
    def open(cls, path: Path) -> Sound:
        """Raise BadInput if it can't be read or has another sample rate than the studio's."""
        try:
            info, written = soundfile.info(str(path)), path.stat().st_mtime_ns
        except (soundfile.LibsndfileError, OSError) as error:
            raise BadInput(f"{path.name} can't be read as sound: the file is missing or damaged") from error
        if info.samplerate != SAMPLE_RATE:
            raise BadInput(f"{path.name} has {info.samplerate} samples a second; the mix needs {SAMPLE_RATE}")
        return cls(path, int(info.frames), written)

    def read(self, start: int, stop: int) -> Audio:
        """Frames ``start`` to ``stop``, silent outside the file: (frames, 1 or 2); further channels are ignored."""
        first, last = max(0, start), min(stop, self.frames)
        if first >= last:
            return np.zeros((stop - start, 1), np.float32)
        try:
            inside = audio.read(self.path, first, last)[:, :2]
        except (soundfile.LibsndfileError, OSError) as error:
            raise BadInput(f"{self.path.name} can't be read to its end: the file is damaged") from error
        if first == start and last == stop:
            return inside
        return np.pad(inside, ((first - start, stop - last), (0, 0)))

    def extended(self, start: int, stop: int, before: int, after: int) -> Audio:
        """Frames ``start`` to ``stop`` of the sound continued by ``before`` and ``after`` frames: (frames, 2)."""
        out = stereo(self.read(start, stop))
        # 1. The head: reverse the sound, continue it, reverse it back. The blend also replaces the first frames of the
        #    sound itself, if this block has any of them.
        if before > 0 and start < blend_length(self.frames):
            edge = stereo(self.read(0, edge_length(self.frames, before)))
            head = continued(edge[::-1], before)[::-1]
            _lay(out, head[: before + blend_length(len(edge))], -before - start)
        # 2. The tail, likewise.
        if after > 0 and stop > self.frames - blend_length(self.frames):
            edge = stereo(self.read(self.frames - edge_length(self.frames, after), self.frames))
            kept = len(edge) - blend_length(len(edge))
            _lay(out, continued(edge, after)[kept:], self.frames - (len(edge) - kept) - start)
        return out


def stereo(block: Audio) -> Audio:
    """Mono goes to both channels."""
    return np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block


def _lay(out: Audio, piece: Audio, at: int) -> None:
    """Copy as much of ``piece`` as fits into ``out``, from frame ``at`` on (which may be negative)."""
    first, last = max(0, at), min(len(out), at + len(piece))
    if first < last:
        out[first:last] = piece[first - at : last - at]


def edge_length(sound_frames: int, more: int) -> int:
    """Frames of a sound's end that ``continued`` needs to add ``more`` frames."""
    return min(sound_frames, SEARCH + MATCH + more)


def blend_length(edge_frames: int) -> int:
    """Frames at the edge that are blended into the continuation."""
    return min(MATCH, edge_frames // 8)


def continued(edge: Audio, more: int) -> Audio:
    """The end of a sound, (frames, channels), continued by ``more`` frames; its last few are blended into them.

    ``more`` may be up to half of ``edge``. This is the splice of WSOLA time stretching (Verhelst & Roelands, ICASSP
    1993): the sound goes on from the place inside it that resembles its end most.
    """
    # Reflecting the edge would be simpler, but it puts a kink into the waveform, audible as a tick on held notes, and
    # plays the attack of the first beat backwards.
    match = blend_length(len(edge))
    end = _resembling(to_mono(edge).astype(np.float64), match, more) + match
    fade = np.linspace(0, 1, match + 2, dtype=np.float32)[1:-1, None]
    blend = _blended(edge[len(edge) - match :], edge[end - match : end], fade)
    return np.concatenate([edge[: len(edge) - match], blend, edge[end : end + more]])


def _resembling(mono: npt.NDArray[np.float64], match: int, more: int) -> int:
    """Where the ``match`` frames begin that differ least from the last ones and have ``more`` frames after them."""
    # |x - p|² = |x|² - 2 x·p + |p|²: one transform gives the middle term everywhere; the last is constant.
    pattern, searched = mono[len(mono) - match :], mono[: len(mono) - more]
    size = 1 << (len(searched) + match).bit_length()
    spectrum = np.fft.rfft(searched, size) * np.conj(np.fft.rfft(pattern, size))
    places = len(searched) - match + 1
    likeness = np.fft.irfft(spectrum, size)[:places]
    power = np.cumsum(np.concatenate([[0.0], searched**2]))
    return int(np.argmin(power[match:] - power[:places] - 2.0 * likeness))


def _blended(outgoing: Audio, incoming: Audio, fade: Audio) -> Audio:
    """A crossfade that keeps the power, whether the two are alike (amplitudes add) or not (powers add)."""
    # With correlation r the power at fade f is (1-f)² + f² + 2f(1-f)r; dividing by its root keeps it constant. If the
    # two cancel (r < 0) they count as uncorrelated, or the root might be 0.
    scale = np.sqrt(float(np.vdot(outgoing, outgoing)) * float(np.vdot(incoming, incoming)))
    alike = max(0.0, float(np.vdot(outgoing, incoming)) / scale) if scale > 0 else 1.0
    power = (1 - fade) ** 2 + fade**2 + 2 * fade * (1 - fade) * np.float32(alike)
    return np.asarray((outgoing * (1 - fade) + incoming * fade) / np.sqrt(power), np.float32)


SHORTEST_REACH = frames_of(0.06)
LONGEST_REACH = frames_of(0.25)
"""How far a crossfade reaches to each side of a boundary, in frames: a fiftieth of the shorter neighbour within these
bounds. Sections of 5 s join within a fifth of a second, so the first beat keeps its attack; long ones melt."""
MICRO = frames_of(0.005)
"""Fade-in from silence, which must keep the attack, and fade-out of a sound that ends by itself."""
DYING_AWAY = frames_of(0.25)
"""Fade-out into silence, and of a sound that is cut at the very end."""


@dataclass(frozen=True, slots=True)
class Fade:
    """Frames ``start`` to ``stop`` of the timeline in which a sound fades in or out."""

    start: int
    stop: int
    across: bool = False
    """A crossfade: the squares of both gains sum to 1 (equal power). Otherwise a raised cosine."""

    def rising(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Gain for the frames from ``start`` to ``stop``: 0 before the passage, 1 after it."""
        gain = np.sin(np.float32(np.pi / 2) * self._progress(start, stop))
        return gain if self.across else gain**2

    def falling(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Gain for the frames from ``start`` to ``stop``: 1 before the passage, 0 after it."""
        gain = np.cos(np.float32(np.pi / 2) * self._progress(start, stop))
        return gain if self.across else gain**2

    def _progress(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        # At the centre of each frame: rising and falling are then mirror images.
        position = np.arange(start - self.start, stop - self.start, dtype=np.float32) + np.float32(0.5)
        return np.clip(position / np.float32(max(1, self.stop - self.start)), 0.0, 1.0)


def reach(left_frames: int, right_frames: int) -> int:
    """Frames of a crossfade on each side of a boundary; short stretches keep half of themselves unfaded."""
    shorter = min(left_frames, right_frames)
    return min(max(shorter // 50, SHORTEST_REACH), LONGEST_REACH, shorter // 4)


def envelope(fade_in: Fade, fade_out: Fade, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Both fades of a sound over the frames from ``start`` to ``stop``."""
    gain = np.ones(stop - start, np.float32)
    if start < fade_in.stop:
        gain *= fade_in.rising(start, stop)
    if stop > fade_out.start:
        gain *= fade_out.falling(start, stop)
    return gain


@dataclass(frozen=True, slots=True)
class Stretch:
    """[start, stop) of the timeline filled by one sound from its beginning; None is silence."""

    start: int
    stop: int
    sound: Sound | None
    placement: int

    @property
    def frames(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound that begins at ``start`` and is heard from ``fade_in.start`` to ``fade_out.stop``."""

    sound: Sound
    start: int
    fade_in: Fade
    fade_out: Fade
    placement: int
    own: tuple[Fade, Fade] | None = None
    """The creator's fades of the whole placement, in which a short sound may be repeated."""

    def read(self, start: int, stop: int) -> Audio:
        """Frames ``start`` to ``stop`` of the timeline, which must lie within the clip, faded: (frames, 2)."""
        # How far the crossfades reach beyond the sound's own ends: it is continued by that much.
        before, after = self.start - self.fade_in.start, self.fade_out.stop - self.start - self.sound.frames
        sound = self.sound.extended(start - self.start, stop - self.start, before, after)
        gain = envelope(self.fade_in, self.fade_out, start, stop)
        return sound * (gain if self.own is None else gain * envelope(*self.own, start, stop))[:, None]


class MusicBus:
    """All clips of a plan as one endless stereo sound, silent outside the placements."""

    def __init__(self, placements: Sequence[Placement]) -> None:
        self.placements = len(placements)
        self._clips = clips(placements)

    def read(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """Frames ``start`` to ``stop``, (frames, 2); ``gains`` has one factor for each placement."""
        return summed([(clip, gains[clip.placement]) for clip in self.heard(start, stop)], start, stop)

    def heard(self, start: int, stop: int) -> tuple[Clip, ...]:
        """What sounds anywhere from frame ``start`` to ``stop``."""
        return tuple(clip for clip in self._clips if max(start, clip.fade_in.start) < min(stop, clip.fade_out.stop))


def summed(clips: Sequence[tuple[Clip, float]], start: int, stop: int) -> Audio:
    """The sum of clips with a factor each, frames ``start`` to ``stop``, in which all of them sound: (frames, 2)."""
    out = np.zeros((stop - start, 2), np.float32)
    for clip, gain in clips:
        first, last = max(start, clip.fade_in.start), min(stop, clip.fade_out.stop)
        out[first - start : last - start] += clip.read(first, last) * np.float32(gain)
    return out


def clips(placements: Sequence[Placement]) -> list[Clip]:
    """All clips, with fades on which neighbours agree."""
    # 1. Cut the timeline into stretches of one sound or silence.
    stretches = [s for number, placement in enumerate(placements) for s in _stretches(placement, number)]
    # 2. A boundary's fade follows from the two beside it, so both find the same one.
    neighbours = zip([None, *stretches[:-1]], stretches, [*stretches[1:], None], strict=True)
    # 3. A fade that was asked for parts them: each ends, or begins, as it would beside silence.
    return [
        Clip(
            *(here.sound, here.start),
            _fade_in(None if _parts(placements, before, here) else before, here),
            _fade_out(here, Stretch(here.stop, here.stop, None, -1) if _parts(placements, here, after) else after),
            here.placement,
            _own(placements[here.placement]),
        )
        for before, here, after in neighbours
        if here.sound is not None
    ]


def _parts(placements: Sequence[Placement], left: Stretch | None, right: Stretch | None) -> bool:
    """Whether a fade that the creator asked for separates two stretches."""
    if left is None or right is None or left.placement == right.placement:
        return False
    return bool(placements[left.placement].fade_out or placements[right.placement].fade_in)


def _own(placement: Placement) -> tuple[Fade, Fade] | None:
    if not (placement.fade_in or placement.fade_out):
        return None
    start, stop = placement.start_frame, placement.start_frame + placement.frames
    return Fade(start, start + placement.fade_in), Fade(stop - placement.fade_out, stop)


def _stretches(placement: Placement, number: int) -> list[Stretch]:
    """One stretch; several if the sound is shorter than its placement by more than can be continued."""
    start, stop = placement.start_frame, placement.start_frame + placement.frames
    # 1. Nothing to play.
    sound = Sound.open(placement.take) if placement.take else None
    if sound is None or sound.frames == 0:
        return [Stretch(start, stop, None, number)]
    # 2. Too short to be crossfaded with itself: heard once, then silence.
    if sound.frames < min(2 * LONGEST_REACH, placement.frames):
        end = start + sound.frames
        return [Stretch(start, end, sound, number), Stretch(end, stop, None, number)]
    # 3. Once where a continuation covers what is missing, else again and again; a longer one is simply cut.
    coverable = min(LONGEST_REACH, sound.frames // 4)
    starts = [start, *range(start + sound.frames, stop - coverable, sound.frames)]
    return [Stretch(a, b, sound, number) for a, b in zip(starts, [*starts[1:], stop], strict=True)]


def _fade_in(before: Stretch | None, here: Stretch) -> Fade:
    if before is None or before.sound is None:
        return Fade(here.start, here.start + min(MICRO, here.frames // 4))
    side = reach(before.frames, here.frames)
    return Fade(here.start - side, here.start + side, across=True)


def _fade_out(here: Stretch, after: Stretch | None) -> Fade:
    if after is not None and after.sound is not None:
        side = reach(here.frames, after.frames)
        return Fade(here.stop - side, here.stop + side, across=True)
    ends_by_itself = after is None and here.sound is not None and here.sound.frames <= here.frames
    length = MICRO if ends_by_itself else DYING_AWAY
    return Fade(here.stop - min(length, here.frames // 4), here.stop)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a mix is made from, ``frames`` long, silent outside."""

    frames: int
    music: MusicBus
    voice: Sound | None

    @classmethod
    def of(cls, plan: MixPlan) -> Sources:
        """Open a plan's files. Raises ValueError if its placements don't cover it, BadInput for an unreadable file."""
        _check(plan)
        return cls(plan.frames, MusicBus(plan.placements), Sound.open(plan.voice) if plan.voice else None)

    def read_voice(self, start: int, stop: int) -> Audio:
        """(frames, 1 or 2), as the stem has; anything beyond the end is silenced."""
        return read_until(self.frames, self.voice, start, stop)

    def read_music(self, start: int, stop: int, gains: Sequence[float]) -> Audio:
        """(frames, 2); ``gains`` has one factor for each placement."""
        return self.music.read(start, stop, gains)

    def spans(self, block_frames: int) -> Iterator[tuple[int, int]]:
        """The whole length as blocks that begin on a control frame."""
        step = max(1, block_frames // FRAME) * FRAME
        for start in range(0, self.frames, step):
            yield start, min(start + step, self.frames)


def read_until(end: int, sound: Sound | None, start: int, stop: int) -> Audio:
    """Frames ``start`` to ``stop`` of a sound, (frames, 1 or 2), silent from frame ``end`` on and without a sound."""
    if sound is None:
        return np.zeros((stop - start, 1), np.float32)
    heard = sound.read(start, stop)
    heard[max(0, end - start) :] = 0.0
    return heard


def _check(plan: MixPlan) -> None:
    end = 0
    for placement in plan.placements:
        if placement.start_frame != end or placement.frames <= 0:
            raise ValueError(f"a placement starts at frame {placement.start_frame} where {end} was expected")
        end += placement.frames
    if end != plan.frames or end == 0:
        raise ValueError(f"the placements cover {end} of {plan.frames} frames")
