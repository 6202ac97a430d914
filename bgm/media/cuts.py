"""Where the picture cuts."""

from __future__ import annotations

from collections.abc import Iterator

import av
import av.filter

from bgm.media.container import open_input
from bgm.media.probe import MediaInfo
from bgm.progress import Progress

SCENE_CHANGE = 0.3
"""FFmpeg's scene score (0..1) above which a frame begins a new shot; 0.3 to 0.5 is the range its manual names."""
_WIDTH = 160
"""A small picture shows a cut as well as a large one."""


def picture_cuts(info: MediaInfo, progress: Progress) -> tuple[float, ...]:
    """Times (s) at which a new shot begins, by FFmpeg's scene filter over every frame; the start is not a cut."""
    if info.video is None:
        return ()
    with open_input(info.path) as container:
        stream = container.streams.video[[s.index for s in container.streams.video].index(info.video.index)]
        stream.thread_type = "AUTO"
        frames = (_told(frame, info, progress) for frame in _decoded(container.demux(stream)))
        times = tuple(round(time - info.origin, 3) for time in _shots(frames, stream))
    return tuple(time for time in times if 0 < time < info.duration)


def _decoded(packets: Iterator[av.Packet[av.VideoStream]]) -> Iterator[av.VideoFrame]:
    for packet in packets:
        try:
            yield from (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
        except av.error.InvalidDataError:
            continue  # a damaged frame is no cut


def _told(frame: av.VideoFrame, info: MediaInfo, progress: Progress) -> av.VideoFrame:
    progress(((frame.time or 0.0) - info.origin) / info.duration, "picture cuts")
    return frame


def _shots(frames: Iterator[av.VideoFrame], stream: av.VideoStream) -> Iterator[float]:
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(template=stream),
        graph.add("scale", f"{_WIDTH}:-2"),
        graph.add("select", f"gt(scene,{SCENE_CHANGE})"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    for frame in frames:
        graph.vpush(frame)
        yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[float]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.time is not None:
            yield frame.time
