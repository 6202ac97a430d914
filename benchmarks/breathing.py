"""How a mix breathes, measured on what sounds: ``python -m benchmarks.breathing FOLDER`` (of recorded sentences).

The sentences are laid in a row with pauses from half a second to eight, under them the embedded composer's music in
each of the seven emotions. Told are: by how much the music's loudness rises from the bed to a long gap (``swing``), how
fast it falls when the voice returns, how loud it gets for a moment in a short gap against the phrases around it, how
far the last chord, after the last word, rises over the bed, and how well the voice can be understood, with the groove
under it and with pads and bass alone: STOI (Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19, 2011, by pystoi) of the
master against the voice alone, where somebody speaks. Peaks and the phrases' levels are BS.1770's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean

import numpy as np
import soundfile
import soxr

from bgm.media.signal import FILTER_CONTEXT, FRAME, Curve, decibels, filtered, frame_power, integrated, k_weighting
from bgm.mix.master import mix
from bgm.mix.placement import MixPlan, MixSettings, Placement, Spans
from bgm.music.composer.compose import compose
from bgm.music.embedded import render
from bgm.music.score import Cue, Piece, Role, Score
from bgm.progress import silent
from bgm.timeline import EMOTIONS, Emotion
from testing.mix_sounds import RATE, Sound, frames

PAUSES = (0.5, 1.2, 8.0, 1.6, 2.4, 6.0, 0.9, 3.0, 7.0, 2.0)
LONG_S = 4.0
"""From here on a gap is long."""
MOMENT = 40
"""Control frames of a momentary loudness (400 ms)."""
VOICE_RMS = 0.08


@dataclass(frozen=True)
class Breath:
    """LU, dB a second, LU and STOI; swings of all long gaps."""

    swings: tuple[float, ...]
    fall: float
    short_gap: float
    stoi: float
    stoi_bare: float
    """With pads and bass alone."""
    under: float
    ending: float
    """The loudest moment of the last chord over the bed under the last phrase."""

    def __str__(self) -> str:
        low, high = min(self.swings), max(self.swings)
        return (
            f"swing {low:4.1f} to {high:4.1f} LU (mean {mean(self.swings):4.1f}), falls {self.fall:4.0f} dB/s, "
            f"short gaps at most {self.short_gap:+5.1f} LU, STOI {self.stoi:.3f} "
            f"(without groove {self.stoi_bare:.3f}), {self.under:.1f} LU under the voice, "
            f"the end {self.ending:+.1f} LU over the bed"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.breathing", description=__doc__)
    parser.add_argument("folder", type=Path, help="recorded sentences (.wav, .ogg, .flac)")
    parser.add_argument("--end", type=float, default=8.0, help="seconds after the last word (default 8)")
    parser.add_argument("--sentences", type=int, default=10, metavar="N", help="how many to use, in order of names")
    given = parser.parse_args()
    files = sorted(f for f in given.folder.iterdir() if f.suffix in (".wav", ".ogg", ".flac"))[: given.sentences]
    with tempfile.TemporaryDirectory() as folder:
        print(f"{len(files)} sentences from {files[0].name} to {files[-1].name}")
        for emotion, breath in breaths(files, Path(folder), given.end):
            print(f"{emotion:9} {breath}", flush=True)


def breaths(files: Sequence[Path], folder: Path, end: float) -> Iterator[tuple[Emotion, Breath]]:
    """One mix for each emotion."""
    stem, spans = talk(files, end)
    soundfile.write(folder / "voice.flac", stem, RATE, subtype="PCM_24")
    for emotion in EMOTIONS:
        cue = Cue(Piece(7, len(stem) / RATE), len(stem), emotion, 1.0, "", 1, True, True, spans)
        score, take, bare = compose(cue), folder / "take.flac", folder / "bare.flac"
        render(score, take, cue.frames, silent)
        render(_without_groove(score), bare, cue.frames, silent)
        plan = MixPlan(len(stem), (Placement(0, len(stem), take),), folder / "voice.flac", spans)
        without = replace(plan, placements=(Placement(0, len(stem), bare),))
        yield emotion, judged(plan, without, folder, score.changes[-1])


def _without_groove(score: Score) -> Score:
    """Pads and bass alone, as a bed was before it kept its groove."""
    return replace(score, notes=tuple(note for note in score.notes if note.role in (Role.PAD, Role.BASS)))


def talk(files: Sequence[Path], end: float) -> tuple[Sound, Spans]:
    """The sentences at one level with pauses between them, and where each is: (frames, 1)."""
    parts: list[Sound] = [np.zeros(frames(4.0), np.float32)]
    spans, at = [], 4.0
    for i, file in enumerate(files):
        sentence = _trimmed(file)
        pause = PAUSES[i % len(PAUSES)] if i < len(files) - 1 else end
        parts += [sentence, np.zeros(frames(pause), np.float32)]
        spans.append((at, at + len(sentence) / RATE))
        at += (len(parts[-2]) + len(parts[-1])) / RATE
    return np.concatenate(parts)[:, None], tuple(spans)


def _trimmed(file: Path) -> Sound:
    sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, RATE)
    loud = np.flatnonzero(np.abs(mono) > 0.02 * np.abs(mono).max())
    inner = mono[loud[0] : loud[-1] + 1]
    return np.asarray(inner * (VOICE_RMS / np.sqrt(np.mean(inner**2))), np.float32)


def judged(plan: MixPlan, without: MixPlan, folder: Path, final: float) -> Breath:
    """Mixed quietly, so that no limiter has a part in it; once more without ducking, which shows the music's gain, and
    ``without`` the groove. ``final``: when the last chord is struck."""
    bgm, master, plain = folder / "bgm.flac", folder / "master.flac", folder / "plain.flac"
    report = mix(replace(plan, settings=MixSettings(lufs=-24.0)), bgm, master)
    mix(replace(plan, settings=MixSettings(lufs=-24.0, duck=False)), plain, folder / "unused.flac")
    music, whole, open_ = (np.asarray(soundfile.read(f, dtype="float32")[0]) for f in (bgm, master, plain))
    music_power, voice_power = _power(music), _power(whole - music)
    pauses = [b[0] - a[1] for a, b in pairwise(plan.speech)]
    long = [i for i, pause in enumerate(pauses) if pause >= LONG_S]
    short = [i for i, pause in enumerate(pauses) if pause < LONG_S]
    return Breath(
        tuple(_swing(music_power, plan.speech, i) for i in long),
        _steepest_fall(music, open_, [plan.speech[i + 1][0] for i in long]),
        max(_excess(music_power, voice_power, plan.speech, i) for i in short),
        _stoi(whole, whole - music, plan.speech),
        _stoi_of(replace(without, settings=MixSettings(lufs=-24.0)), folder),
        report.under_speech_lu or 0.0,
        _ending(music_power, plan.speech[-1], final),
    )


def _power(sound: Sound) -> Curve:
    padded = np.pad(sound, ((FILTER_CONTEXT, FILTER_CONTEXT), (0, 0)))
    return np.asarray(frame_power(filtered(padded, k_weighting())[0]), np.float64)


def _lufs(power: Curve, start: float, end: float) -> float:
    return integrated(power[round(start * RATE / FRAME) : round(end * RATE / FRAME)]) or -70.0


def _swing(music: Curve, speech: Spans, gap: int) -> float:
    """A gap's loudness, its ramps left out, over that of the phrases beside it (the second half second of them on)."""
    (_, start), (end, _) = speech[gap : gap + 2]
    bed = mean(_lufs(music, a + 0.2, b - 0.2) for a, b in speech[gap : gap + 2])
    return _lufs(music, start + 0.8, end - 0.6) - bed


def _ending(music: Curve, last: tuple[float, float], final: float) -> float:
    here = music[round((final - 0.1) * RATE / FRAME) :]
    moments = np.convolve(here, np.ones(MOMENT) / MOMENT, mode="valid")
    return float(decibels(moments).max() - 0.691 - _lufs(music, last[0] + 0.2, last[1] - 0.2))


def _excess(music: Curve, voice: Curve, speech: Spans, gap: int) -> float:
    """The loudest moment of the music in a gap against the mean of the two phrases."""
    (_, start), (end, _) = speech[gap : gap + 2]
    phrases = mean(_lufs(voice, a, b) for a, b in speech[gap : gap + 2])
    here = music[round(start * RATE / FRAME) : round(end * RATE / FRAME)]
    moments = np.convolve(here, np.ones(MOMENT) / MOMENT, mode="valid")
    return float(decibels(moments).max() - 0.691 - phrases)


def _steepest_fall(ducked: Sound, plain: Sound, returns: Sequence[float]) -> float:
    """dB a second of the music's gain in any tenth of a second before and after the voice returns."""
    worst = 0.0
    for at in returns:
        here = slice(frames(at - 1.0), frames(at + 0.5))
        levels = [np.sqrt(np.mean(np.square(s[here].reshape(-1, frames(0.025) * 2)), axis=1)) for s in (ducked, plain)]
        heard = levels[1] > 1e-5
        gain = 20 * np.log10(np.maximum(levels[0], 1e-7) / np.maximum(levels[1], 1e-7))
        steps = (gain[:-4] - gain[4:])[heard[:-4] & heard[4:]]
        worst = max(worst, float(steps.max(initial=0.0)) * 10)
    return worst


def _stoi_of(plan: MixPlan, folder: Path) -> float:
    mix(plan, folder / "bgm.flac", folder / "master.flac")
    music, whole = (
        np.asarray(soundfile.read(folder / f"{name}.flac", dtype="float32")[0]) for name in ("bgm", "master")
    )
    return _stoi(whole, whole - music, plan.speech)


def _stoi(master: Sound, voice: Sound, speech: Spans) -> float:
    from pystoi import stoi

    spoken = [np.concatenate([s[frames(a) : frames(b), 0] for a, b in speech]) for s in (voice, master)]
    return float(stoi(*spoken, RATE))


if __name__ == "__main__":
    main()
