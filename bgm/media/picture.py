"""The picture, decoded: where shots begin, and thumbnails."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import av.filter
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.media.container import discard_all_but, open_input, packets, shown, tick
from bgm.media.probe import MediaInfo
from bgm.progress import Progress

if TYPE_CHECKING:
    from PIL import Image

SCENE_CHANGE = 0.3
"""FFmpeg's scene score (0..1) above which a frame starts a new shot; its manual suggests 0.3 to 0.5."""
_WIDTH = 160
"""A small picture suffices to detect cuts."""


def picture_cuts(info: MediaInfo, progress: Progress) -> tuple[float, ...]:
    """Times (s) at which a new shot begins, by FFmpeg's scene filter over every frame; the start is not a cut."""
    if info.video is None:
        return ()
    with open_input(info.path) as container:
        stream = container.streams.video[[s.index for s in container.streams.video].index(info.video.index)]
        # Several frames at once too; PyAV's default is slices alone, which spares a delay that doesn't matter here.
        stream.thread_type = "AUTO"
        frames = (_told(frame, info, progress) for frame in _decoded(packets(container, stream, turns=info.turns)))
        times = tuple(round(time - info.origin, 3) for time in _shots(frames, tick(stream)))
    return tuple(time for time in times if 0 < time < info.duration)


def _decoded(found: Iterator[av.Packet[Any]]) -> Iterator[av.VideoFrame]:
    for packet in found:
        try:
            yield from (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
        except av.error.InvalidDataError:
            continue  # a damaged frame is not a cut


def _told(frame: av.VideoFrame, info: MediaInfo, progress: Progress) -> av.VideoFrame:
    progress(((frame.time or 0.0) - info.origin) / info.duration, "picture cuts")
    return frame


def _shots(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[float]:
    graph = None
    for frame in _small(frames):
        # Made from the first frame: until then size and format are only what the header says.
        graph = graph or _scene_filter(frame, time_base)
        graph.vpush(frame)
        yield from _pulled(graph)


def _small(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Scale all frames to one small size and format: in a damaged or joined file the source's may change."""
    reformatter, height = VideoReformatter(), 0
    for frame in frames:
        height = height or min(4 * _WIDTH, max(2, round(_WIDTH * frame.height / frame.width / 2) * 2))
        yield reformatter.reformat(frame, _WIDTH, height, "yuv420p")


def _scene_filter(frame: av.VideoFrame, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base),
        graph.add("select", f"gt(scene,{SCENE_CHANGE})"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[float]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.time is not None:
            yield frame.time


QUALITY = 80
"""Of JPEG, 1 to 95."""
_WIDEST = 65_000
"""Pixels of a JPEG, which has no more than 65,535."""
_MAX_FRAMES = 300
"""Maximum frames decoded after a key frame to find the exact one."""


def thumbnail(info: MediaInfo, time: float, width: int = 320) -> bytes:
    """A JPEG, upright, ``width`` pixels wide, of the picture at ``time`` (s). Raises BadInput if there is none."""
    return _jpeg(_picture(info, time, width))


def filmstrip(info: MediaInfo, times: Sequence[float], height: int, *, cells: int, exact: bool = True) -> bytes:
    """A JPEG of the pictures at ``times`` (s) side by side, in ``cells`` equally wide parts, ``height`` pixels high.

    Parts beyond the last time stay black, as do pictures that can't be decoded. Without ``exact`` each is the key frame
    at or before its time, which is fast. Raises BadInput if there is no picture at all.
    """
    from PIL import Image

    first = _picture(info, times[0], 4 * height, exact=exact)
    across = max(1, min(round(height * first.width / first.height), _WIDEST // cells))
    strip = Image.new("RGB", (cells * across, height))
    for cell, time in enumerate(times):
        with suppress(BadInput):
            picture = first if cell == 0 else _picture(info, time, across, exact=exact)
            strip.paste(picture.resize((across, height)), (cell * across, 0))
    return _jpeg(strip)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _picture(info: MediaInfo, time: float, width: int, *, exact: bool = True) -> Image.Image:
    if info.video is None:
        raise BadInput(f"{shown(info.path)} has no picture")
    with open_input(info.path) as container:
        stream = cast(VideoStream, container.streams[info.video.index])
        if not exact:
            stream.codec_context.skip_frame = "NONKEY"
        frame = _frame_at(info, container, stream, info.origin + time)
    if frame is None:
        raise BadInput(f"{shown(info.path)} has no picture that can be decoded at {time:.1f} s")
    return _upright(frame, width)


def _upright(frame: VideoFrame, width: int) -> Image.Image:
    """The picture in its display rotation; scaled down first, because a copy of a whole 8K picture takes a gigabyte."""
    lies = frame.rotation % 180 != 0
    across, down = (frame.height, frame.width) if lies else (frame.width, frame.height)
    scale = min(1.0, width / across, 4 * width / down)
    small = frame.reformat(max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    return small.to_image().rotate(frame.rotation, expand=True)


def _frame_at(info: MediaInfo, container: InputContainer, stream: VideoStream, seconds: float) -> VideoFrame | None:
    """The last frame that begins at or before ``seconds``, else the first decodable one."""
    discard_all_but(container, stream.index)
    found = None
    try:
        if not info.turns:  # otherwise the same time may occur twice in the file, which is read from its start
            container.seek(int(seconds / tick(stream)), stream=stream)
        frames = (frame for packet in packets(container, stream, turns=info.turns) for frame in stream.decode(packet))
        for count, frame in enumerate(frames):
            if found is not None and (count > _MAX_FRAMES or (frame.time or 0.0) > seconds + 1e-6):
                break
            found = frame
    except av.error.FFmpegError:
        return found
    return found
