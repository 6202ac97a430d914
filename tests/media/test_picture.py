"""Picture cuts are found where the picture changes, and only there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bgm.media.picture import picture_cuts
from bgm.media.probe import probe
from bgm.progress import silent

FPS = 25
SHOTS = ((200, 30, 30), (20, 200, 60), (30, 30, 220))


@pytest.fixture(scope="module")
def three_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of 2 s, each drifting slowly in brightness."""
    path = tmp_path_factory.mktemp("cuts") / "shots.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for i in range(len(SHOTS) * 2 * FPS):
            colour = np.clip(np.array(SHOTS[i // (2 * FPS)]) + i % (2 * FPS) // 4, 0, 255)
            picture = np.broadcast_to(colour, (180, 320, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture))))
        container.mux(stream.encode(None))
    return path


def test_cuts_are_found_to_the_frame(three_shots: Path) -> None:
    assert picture_cuts(probe(three_shots), silent) == pytest.approx((2.0, 4.0), abs=1 / FPS)


def test_sound_alone_has_no_cuts(cate_mp3: Path) -> None:
    assert picture_cuts(probe(cate_mp3), silent) == ()
