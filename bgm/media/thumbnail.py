"""Thumbnails of the picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bgm.errors import BadInput
from bgm.media.container import discard_all_but, open_input, packets, tick
from bgm.media.probe import MediaInfo, shown

if TYPE_CHECKING:
    from PIL import Image

_MAX_FRAMES = 300
"""Maximum frames decoded after a key frame to find the exact one."""


def thumbnail(info: MediaInfo, time: float, width: int = 320) -> bytes:
    """A JPEG, upright, ``width`` pixels wide, of the picture at ``time`` (s). Raises BadInput if there is none."""
    if info.video is None:
        raise BadInput(f"{shown(info.path)} has no picture")
    with open_input(info.path) as container:
        frame = _frame_at(info, container, cast(VideoStream, container.streams[info.video.index]), info.origin + time)
    if frame is None:
        raise BadInput(f"{shown(info.path)} has no picture that can be decoded at {time:.1f} s")
    out = io.BytesIO()
    _upright(frame, width).save(out, "JPEG", quality=80)
    return out.getvalue()


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
