"""Draw a whole result: the spectrograms of the old sound, the voice, the new music and the mix, over the segments.

python -m benchmarks.picture DIR -o docs/result.png        DIR is a project folder that was rendered
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bgm import project as projects
from bgm.media import audio
from bgm.project import Project

WIDTH, HEIGHT, STRIP, MARGIN = 1100, 130, 26, 70
WINDOW = 4096
TOP_HZ, FLOOR_DB, RANGE_DB = 10_000, -85.0, 75.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("project", type=Path)
    arguments.add_argument("-o", "--output", type=Path, required=True)
    asked = arguments.parse_args()
    draw(projects.load(asked.project)).save(asked.output, optimize=True)
    print(asked.output)


def draw(project: Project) -> Image.Image:
    """One picture, the stems one below the other, 0 to 10 kHz."""
    rows = [("original", project.audio), ("voice", project.voice), ("music", project.bgm), ("mix", project.master)]
    rows = [(name, path) for name, path in rows if path.is_file()]
    picture = Image.new("L", (MARGIN + WIDTH, STRIP + len(rows) * (HEIGHT + 4)), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=14)
    for segment in project.segments:
        left, right = (MARGIN + WIDTH * t / project.duration for t in (segment.start, segment.end))
        pen.rectangle([left, 0, right, STRIP - 3], outline="black")
        pen.text((left + 5, 4), str(segment.emotion), font=font, fill="black")
    for number, (name, path) in enumerate(rows):
        top = STRIP + number * (HEIGHT + 4)
        pen.text((4, top + HEIGHT // 2 - 8), name, font=font, fill="black")
        picture.paste(Image.fromarray(spectrogram(path)).resize((WIDTH, HEIGHT)), (MARGIN, top))
    return picture


def spectrogram(path: Path) -> npt.NDArray[np.uint8]:
    """Levels from FLOOR_DB up as grey values, (frequency from high to low, WIDTH columns)."""
    frames = audio.length(path)
    columns = [_column(path, round(i * max(0, frames - WINDOW) / WIDTH)) for i in range(WIDTH)]
    levels = np.stack(columns, axis=1)[::-1]
    return np.uint8(255 * np.clip((levels - FLOOR_DB) / RANGE_DB, 0, 1))


def _column(path: Path, start: int) -> npt.NDArray[np.float64]:
    sound = audio.read(path, start, start + WINDOW).mean(axis=1)
    padded = np.pad(sound, (0, WINDOW - len(sound))) * np.hanning(WINDOW)
    magnitude = np.abs(np.fft.rfft(padded))[: WINDOW * TOP_HZ // audio.SAMPLE_RATE] / (WINDOW / 4)
    return 20 * np.log10(magnitude + 1e-9)


if __name__ == "__main__":
    main()
