"""Videos for the benchmarks, made on the spot from the bundled sample: any length, 720p, with subtitles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "assets" / "sample.mp4"
FPS, SIZE, MINUTE = 24, (1280, 720), 60


def talking_video(folder: Path, seconds: float, *, subtitles: bool) -> Path:
    """A 720p video of the sample's speech over its music, repeated to ``seconds``; subtitles lie beside it if asked."""
    out = folder / f"talk-{seconds:.0f}{'-with-words' if subtitles else ''}.mp4"
    if not out.is_file():
        _write(out, seconds)
    if subtitles:
        out.with_suffix(".srt").write_text(_repeated_words(seconds), encoding="utf-8")
    return out


def _write(out: Path, seconds: float) -> None:
    minute = out.with_name("minute.mp4")
    if not minute.is_file():
        _write_minute(minute)
    with av.open(str(minute)) as source, av.open(str(out), "w") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        packets = [
            (p.stream.index, p.pts, p.duration, p.is_keyframe, bytes(p))
            for p in source.demux()
            if p.pts is not None and 0 <= p.pts * p.time_base < MINUTE
        ]
        bases = {s.index: s.time_base for s in source.streams}
        for number in range(-(-round(seconds) // MINUTE)):
            for index, pts, duration, is_key, data in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = streams[index], bases[index], is_key
                packet.pts = packet.dts = pts + round(number * MINUTE / bases[index])
                packet.duration = duration
                if packet.pts * bases[index] < seconds:
                    target.mux(packet)


def _write_minute(out: Path) -> None:
    """A minute of the sample's sound under a picture without B-frames, so that copies of it can follow one another."""
    with av.open(str(out), "w") as target:
        picture = target.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "28"})
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        sound = target.add_stream("aac", rate=48_000, bit_rate=128_000)
        for number in range(MINUTE * FPS):
            target.mux(picture.encode(_picture(number)))
        target.mux(picture.encode(None))
        for frame in _sound(MINUTE):
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))


def _sound(seconds: int) -> Iterator[av.AudioFrame]:
    with av.open(str(SAMPLE)) as source:
        samples = np.concatenate([f.to_ndarray() for f in source.decode(audio=0)], axis=1)
    repeated = np.tile(samples, -(-seconds * 48_000 // samples.shape[1]))[:, : seconds * 48_000]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(repeated), format="fltp", layout="stereo")
    frame.rate = 48_000
    yield frame


def _picture(number: int) -> av.VideoFrame:
    """A bar that wanders over a slow gradient: cheap to encode, and every frame differs."""
    picture = np.full((SIZE[1], SIZE[0], 3), 40 + number // FPS % 100, np.uint8)
    x = number * 5 % (SIZE[0] - 60)
    picture[:, x : x + 60] = (200, 160, 60)
    frame = av.VideoFrame.from_ndarray(picture)
    frame.pts = number
    return frame


def _repeated_words(seconds: float) -> str:
    text = SAMPLE.with_suffix(".srt").read_text(encoding="utf-8")
    with av.open(str(SAMPLE)) as container:
        period = (container.duration or 0) / av.time_base
    cues = re.findall(r"(\d+):(\d+):(\d+),(\d+) --> (\d+):(\d+):(\d+),(\d+)\n(.*?)(?:\n\n|\Z)", text, re.DOTALL)
    times = [(_seconds(c[:4]), _seconds(c[4:8]), c[8].strip()) for c in cues]
    out, offset = [], 0.0
    while offset < seconds:
        out += [(s + offset, e + offset, words) for s, e, words in times if e + offset < seconds]
        offset += period
    return "\n\n".join(f"{i}\n{_stamp(s)} --> {_stamp(e)}\n{words}" for i, (s, e, words) in enumerate(out, 1)) + "\n"


def _seconds(parts: tuple[str, ...]) -> float:
    h, m, s, ms = map(int, parts)
    return h * 3600 + m * 60 + s + ms / 1000


def _stamp(seconds: float) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
