"""Word error rate and speed of a transcriber, beside the same library's own call.

    python -m benchmarks.wer [--transcriber NAME[:MODEL]] [--speech DIR --music DIR] [--voice]

DIR of ``--speech`` holds sounds and ``words.tsv`` (file, tab, its words); DIR of ``--music`` any sounds. Without them
the speech is ../shared/data/jfk.flac (22 words) and, where Debian's flite is installed, sentences of our own in its
voices, which flatter every recogniser; the music is two beds made by arithmetic. All speech is joined with pauses of
0.7 s, each clip at one level, and heard alone and over the music 10, 5 and 0 dB below it. ``--voice`` hears it again
after the studio's separator took the music out.

The peer is faster-whisper's transcribe() with its defaults on the whole sound, or openai-whisper's with word times and
the published alignment heads. Both texts pass OpenAI's English normaliser. Times are processor seconds of recognition
alone, both models loaded before; a checkpoint of Whisper base in OpenAI's format is made of the packaged weights by
``python -m tests.speech.openai_base FILE.pt``.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.peers import JFK, Options, package
from benchmarks.separation import beds
from benchmarks.table import LIMIT, Row, not_run
from bgm import engines, weights
from bgm.engines import EngineOptions, Stage
from bgm.media.audio import SAMPLE_RATE
from bgm.progress import silent
from bgm.speech.activity import speech_spans
from bgm.speech.words import Recording

JFK_TEXT = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
VOICES = ("rms", "slt", "awb")
SENTENCES = (
    "The weather turned cold before we reached the river",
    "She told me that nothing would ever be the same again",
    "I was so happy when the letter finally came",
    "Please be quiet because the children are sleeping",
    "We lost everything in the fire last winter",
    "Nobody expected the little team to win the game",
)
LEVELS_DB = (None, 10, 5, 0)
"""Of the music below the speech; None: no music."""
PAUSE_S, PIECE_S, MINUTE = 0.7, 20, 60
LEVEL = 0.08
"""RMS of each clip's loud parts."""

Mono = npt.NDArray[np.float32]
Call = Callable[[Path], str]


@dataclass(frozen=True)
class Heard:
    """Words that were wrong, of how many, and processor seconds over the sound's length."""

    wrong: int
    words: int
    cpu: float
    text: str = ""

    @property
    def error(self) -> float:
        return self.wrong / self.words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transcriber", default="faster-whisper", metavar="NAME[:MODEL]")
    parser.add_argument("--speech", type=Path, metavar="DIR")
    parser.add_argument("--music", type=Path, metavar="DIR")
    parser.add_argument("--voice", action="store_true", help="also after Spleeter")
    parser.add_argument("--show", action="store_true", help="print what was heard")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as bgm.__main__ does, for ours and for peers
    ours, own = _calls(asked.transcriber)
    print("| sound | words | ours | own call | CPU ours | own | ratio |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        speech, text = _speech(asked.speech, Path(folder))
        for name, sound in _mixes(speech, asked.music, Path(folder)).items():
            for kind, path in {name: sound, **({f"{name}, voice": _voice(sound)} if asked.voice else {})}.items():
                a, b = _judged(ours, path, text), _judged(own, path, text)
                print(
                    f"| {kind} | {a.words} | {a.error:.3f} | {b.error:.3f} | {a.cpu:.3f} | {b.cpu:.3f} "
                    f"| {a.cpu / b.cpu:.2f} |",
                    flush=True,
                )
                if asked.show:
                    print(a.text)
        for name, path in _wordless(asked.music, Path(folder)).items():
            print(f"invented in a minute of {name}: {len(ours(path).split())} words; own call {len(own(path).split())}")


def rows(options: Options) -> Iterator[Row]:
    """Word errors and time, ours beside faster-whisper's own call on the same sounds."""
    peer = f"{package('faster-whisper')} transcribe(), its defaults"
    if not JFK.is_file() and not shutil.which("flite"):
        yield not_run("word error rate of Whisper base", peer, "neither ../shared/data/jfk.flac nor flite is here")
        return
    ours, own = _calls("faster-whisper:base")
    with tempfile.TemporaryDirectory() as folder:
        speech, text = _speech(None, Path(folder))
        pairs = {
            name: (_judged(ours, sound, text), _judged(own, sound, text))
            for name, sound in _mixes(speech, None, Path(folder)).items()
        }
        for name, (a, b) in pairs.items():
            yield Row(f"word error rate of Whisper base, {a.words} words, {name}", "", a.error, peer, b.error)
        times = [sum(pair[side].cpu for pair in pairs.values()) / len(pairs) for side in (0, 1)]
        yield Row("speech recognition: processor time over the length", "×", times[0], peer, times[1], len(pairs))
        for name, path in _wordless(None, Path(folder)).items():
            yield Row(f"words invented in a minute of {name}", "", len(ours(path).split()), LIMIT, 0)


def _calls(transcriber: str) -> tuple[Call, Call]:
    """Our engine, and the library's own call with the same weights; both loaded, one thread each."""
    choice = engines.choose(Stage.TRANSCRIBE, transcriber, EngineOptions(device="cpu"))
    engine = engines.transcriber(choice)

    def ours(path: Path) -> str:
        info = soundfile.info(str(path))
        transcript = engine.transcribe(Recording(path, _spans(path), info.duration), silent)
        return " ".join(u.text for u in transcript.utterances)

    own = (_openai_s if choice.name == "whisper" else _faster_whisper_s)(choice.options.model)
    return ours, own


def _faster_whisper_s(model: str | None) -> Call:
    from faster_whisper import WhisperModel

    folder = weights.provide(weights.card_for("faster-whisper", model))
    net = WhisperModel(str(folder), device="cpu", compute_type="int8")
    return lambda path: " ".join(segment.text for segment in net.transcribe(_at_16k(path))[0])


def _openai_s(model: str | None) -> Call:
    import whisper

    from bgm.speech.whisper import published_size

    net = whisper.load_model(str(weights.provide(weights.card_for("whisper", model))), device="cpu")
    net.set_alignment_heads(whisper._ALIGNMENT_HEADS[published_size(net)])
    return lambda path: str(whisper.transcribe(net, _at_16k(path), fp16=False, word_timestamps=True)["text"])


_known_spans: dict[Path, Any] = {}


def _spans(path: Path) -> Any:
    """Voice activity is another stage: found before the clock runs."""
    if path not in _known_spans:
        _known_spans[path] = speech_spans(path)
    return _known_spans[path]


def _judged(call: Call, path: Path, text: str) -> Heard:
    import jiwer
    from whisper.normalizers import EnglishTextNormalizer

    _spans(path)
    before = _cpu_seconds()
    heard = call(path)
    used = (_cpu_seconds() - before) / float(soundfile.info(str(path)).duration)
    normal = EnglishTextNormalizer()
    found = jiwer.process_words(normal(text), normal(heard))
    wrong = found.substitutions + found.deletions + found.insertions
    return Heard(wrong, len(normal(text).split()), used, heard)


def _speech(folder: Path | None, scratch: Path) -> tuple[Mono, str]:
    """All clips one after the other, and their words."""
    clips = list(_given(folder) if folder else _at_hand(scratch))
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    parts = [part for wave, _ in clips for part in (wave * (LEVEL / _loudness(wave)), pause)]
    return np.concatenate(parts), " ".join(words for _, words in clips)


def _given(folder: Path) -> Iterator[tuple[Mono, str]]:
    with (folder / "words.tsv").open(encoding="utf-8", newline="") as file:
        for name, words in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield _at_48k(folder / name), words


def _at_hand(scratch: Path) -> Iterator[tuple[Mono, str]]:
    if JFK.is_file():
        yield _at_48k(JFK), JFK_TEXT
    for voice in VOICES if shutil.which("flite") else ():
        for text in SENTENCES:
            target = scratch / "spoken.wav"
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(target)], check=True)
            yield _at_48k(target), text


def _mixes(speech: Mono, music: Path | None, scratch: Path) -> dict[str, Path]:
    """The speech over music at each level, as files."""
    bed = _bed(music, len(speech))
    out = {}
    for level in LEVELS_DB:
        name = "clean" if level is None else f"music {level} dB below"
        mix = speech if level is None else speech + bed * np.float32(10 ** (-level / 20))
        out[name] = _written(mix, scratch / f"{level}.flac")
    return out


def _bed(folder: Path | None, frames: int) -> Mono:
    """Twenty seconds of each piece in turn, at the speech's level, from its fifth second on."""
    sounds = [_at_48k(path) for path in _sounds(folder)] if folder else list(beds(30).values())
    parts: list[Mono] = []
    turn = 0
    while sum(map(len, parts)) < frames:
        sound = sounds[turn % len(sounds)]
        start = (5 + PIECE_S * (turn // len(sounds))) * SAMPLE_RATE % max(1, len(sound) - SAMPLE_RATE)
        part = sound[start : start + PIECE_S * SAMPLE_RATE]
        parts.append(np.asarray(part * (LEVEL / _loudness(part)), np.float32))
        turn += 1
    return np.concatenate(parts)[:frames]


def _wordless(music: Path | None, scratch: Path) -> dict[str, Path]:
    """A minute each of music, of silence, and of claps: bursts of noise that die away, in their thousands."""
    frames = MINUTE * SAMPLE_RATE
    random = np.random.default_rng(0)
    envelope = np.zeros(frames)
    np.add.at(envelope, random.integers(0, frames, 60 * 150), random.random(60 * 150))
    decay = np.exp(-np.arange(round(0.03 * SAMPLE_RATE)) / (0.006 * SAMPLE_RATE))
    claps = random.standard_normal(frames) * np.convolve(envelope, decay)[:frames]
    sounds = {"music": _bed(music, frames), "silence": np.zeros(frames), "applause": LEVEL * claps / np.std(claps)}
    return {name: _written(sound, scratch / f"{name}.flac") for name, sound in sounds.items()}


def _voice(mix: Path) -> Path:
    """The mix without its music, as the studio's separator leaves it."""
    voice = mix.with_name(f"voice of {mix.name}")
    engines.separator(engines.choose(Stage.SEPARATE)).separate(mix, voice, speech_spans, silent)
    return voice


def _sounds(folder: Path) -> Sequence[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix in {".wav", ".flac", ".ogg", ".mp3"}]


def _at_48k(path: Path) -> Mono:
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE), np.float32)


def _at_16k(path: Path) -> Mono:
    return np.asarray(soxr.resample(soundfile.read(path, dtype="float32")[0], SAMPLE_RATE, 16_000), np.float32)


def _written(sound: npt.NDArray[Any], path: Path) -> Path:
    soundfile.write(path, sound, SAMPLE_RATE, subtype="PCM_24")
    return path


def _loudness(wave: Mono) -> float:
    """RMS of the tenths of a second that sound."""
    window = SAMPLE_RATE // 20
    power = (wave[: len(wave) // window * window].reshape(-1, window) ** 2).mean(axis=1)
    return float(np.sqrt(power[power > power.max() / 1000].mean()))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
