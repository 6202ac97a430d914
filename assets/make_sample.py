"""Make the sample video: our own words in Debian's flite voices, our own music and drawn pictures.

    python assets/make_sample.py [-o assets/sample.mp4]

Needs ``flite`` on the path (Debian package ``flite``). The words go into sample.srt beside the video. Nothing in the
result comes from anyone else: flite's voices are free to use (CMU, BSD-like), the music is the embedded composer's.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from PIL import Image, ImageDraw, ImageFont

from bgm.engines import EngineOptions
from bgm.media.audio import SAMPLE_RATE, Audio, frames_of, read
from bgm.music.cue import Cue, Piece
from bgm.music.embedded import EmbeddedComposer
from bgm.progress import silent
from bgm.speech.subtitle_file import to_srt
from bgm.timeline import Emotion, Utterance

SIZE, FPS = (640, 360), 12
PAUSE_S, SCENE_PAUSE_S = 0.35, 1.4
MUSIC_UNDER_VOICE_DB = -9.0


@dataclass(frozen=True)
class Scene:
    """What is said, by which voice, before which colours (top and bottom, RGB)."""

    voice: str
    lines: tuple[str, ...]
    colours: tuple[tuple[int, int, int], tuple[int, int, int]]


SCENES = (
    Scene(
        "slt",
        (
            "We made it! The festival is finally here, and I am so happy to see all of you!",
            "Thank you, this is wonderful. I love this town!",
        ),
        ((255, 205, 90), (240, 120, 60)),
    ),
    Scene(
        "rms",
        (
            "The doors open at seven. The concert starts at eight in the main hall.",
            "Tickets are at the counter on the left.",
        ),
        ((150, 165, 180), (90, 105, 125)),
    ),
    Scene(
        "slt",
        (
            "I miss my grandmother. She taught me every song I know.",
            "This year her chair is empty, and it breaks my heart.",
        ),
        ((70, 100, 150), (25, 35, 70)),
    ),
    Scene(
        "rms",
        (
            "Then the lights went out. I was terrified.",
            "I heard footsteps behind the stage, and I was afraid to move.",
        ),
        ((60, 40, 90), (10, 8, 20)),
    ),
    Scene(
        "awb",
        (
            "Somebody had cut the cables! I hate this. I was furious!",
            "How dare they ruin our night? That makes me so angry!",
        ),
        ((190, 40, 40), (70, 10, 15)),
    ),
    Scene(
        "slt",
        (
            "And then, oh my god, wow! I could not believe my eyes!",
            "What a surprise! Nobody expected that at all!",
        ),
        ((250, 150, 200), (90, 60, 160)),
    ),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("sample.mp4"))
    out = arguments.parse_args().output
    voice, utterances, cuts = speak()
    write_video(out, mixed(voice), utterances, cuts)
    out.with_suffix(".srt").write_text(to_srt(utterances), encoding="utf-8")
    print(f"{out}: {len(voice) / SAMPLE_RATE:.1f} s, {out.stat().st_size / 1e6:.2f} MB")


def speak() -> tuple[Audio, tuple[Utterance, ...], list[float]]:
    """The whole voice track (frames, 1), its utterances, and where each scene starts (s)."""
    pieces: list[Audio] = [np.zeros((frames_of(SCENE_PAUSE_S), 1), np.float32)]
    utterances, cuts = [], [0.0]
    for number, scene in enumerate(SCENES):
        for line in scene.lines:
            start = sum(map(len, pieces)) / SAMPLE_RATE
            spoken = synthesised(scene.voice, line)
            utterances.append(Utterance(start, start + len(spoken) / SAMPLE_RATE, line, line))
            pieces += [spoken, np.zeros((frames_of(PAUSE_S), 1), np.float32)]
        pieces.append(np.zeros((frames_of(SCENE_PAUSE_S), 1), np.float32))
        if number + 1 < len(SCENES):
            cuts.append(sum(map(len, pieces)) / SAMPLE_RATE - SCENE_PAUSE_S / 2)
    return np.concatenate(pieces), tuple(utterances), cuts


def synthesised(voice: str, line: str) -> Audio:
    """One line of speech, (frames, 1), at one level for all voices, without the silence that flite adds."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "line.wav"
        subprocess.run(["flite", "-voice", voice, "-t", line, "-o", str(wav)], check=True)
        sound, rate = soundfile.read(str(wav), dtype="float32")
    sound = soxr.resample(sound, rate, SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    sound = sound[max(0, loud[0] - frames_of(0.03)) : loud[-1] + frames_of(0.06)]
    return (sound * (0.09 / np.sqrt(np.mean(sound**2))))[:, None].astype(np.float32)


def mixed(voice: Audio) -> Audio:
    """The voice over the music that the creator will want replaced, (frames, 2)."""
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "music.flac"
        piece = Piece(seed=2023, duration=len(voice) / SAMPLE_RATE)
        cue = Cue(piece, len(voice), Emotion.NEUTRAL, 1.0, "", seed=5, opening=True, ending=True)
        list(EmbeddedComposer(EngineOptions()).compose([cue], [take], silent))
        music = read(take)
    level = np.sqrt(np.mean(voice[np.abs(voice[:, 0]) > 0.01] ** 2) / np.mean(music**2))
    both = voice + music * level * 10 ** (MUSIC_UNDER_VOICE_DB / 20)
    return np.clip(both, -0.99, 0.99).astype(np.float32)


def write_video(out: Path, sound: Audio, utterances: tuple[Utterance, ...], cuts: list[float]) -> None:
    with av.open(str(out), "w", options={"movflags": "+faststart"}) as container:
        container.metadata["title"] = "BGM Studio sample"
        picture = container.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "veryslow"})
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        voice = container.add_stream("aac", rate=SAMPLE_RATE, bit_rate=128_000)
        for image in pictures(len(sound) / SAMPLE_RATE, utterances, cuts):
            container.mux(picture.encode(av.VideoFrame.from_image(image)))
        container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), format="fltp", layout="stereo")
        frame.rate = SAMPLE_RATE
        container.mux(voice.encode(frame))
        container.mux(voice.encode(None))


def pictures(seconds: float, utterances: tuple[Utterance, ...], cuts: list[float]) -> Iterator[Image.Image]:
    """One image per frame: the scene's colours, a slow sun, and the words."""
    font = ImageFont.load_default(size=22)
    for number in range(round(seconds * FPS)):
        time = number / FPS
        scene = SCENES[sum(cut <= time for cut in cuts) - 1]
        image = gradient(*scene.colours)
        draw = ImageDraw.Draw(image)
        x, y = SIZE[0] * time / seconds, SIZE[1] * (0.35 - 0.15 * np.sin(np.pi * time / seconds))
        draw.ellipse([x - 34, y - 34, x + 34, y + 34], fill=tuple(min(255, c + 45) for c in scene.colours[0]))
        said = next((u.text for u in utterances if u.start <= time < u.end), "")
        for row, words in enumerate(wrapped(said)):
            draw.text((SIZE[0] / 2, SIZE[1] - 78 + 30 * row), words, font=font, fill="white", anchor="mm")
        yield image


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    share = np.linspace(0, 1, SIZE[1])[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    return Image.fromarray(np.broadcast_to(rows, (SIZE[1], SIZE[0], 3)).astype(np.uint8))


def wrapped(text: str, width: int = 48) -> list[str]:
    if len(text) <= width:
        return [text]
    cut = text.rfind(" ", 0, len(text) // 2 + 12)
    return [text[:cut], text[cut + 1 :]]


if __name__ == "__main__":
    main()
