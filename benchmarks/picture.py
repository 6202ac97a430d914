"""Draw a whole result, the sounds over the segments, or the notes of every style and mood as piano rolls.

python -m benchmarks.picture DIR -o docs/result.png        DIR is a project folder that was rendered
python -m benchmarks.picture --notes -o notes.png          every style (down) in every mood (across), 20 s
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bgm import project as projects
from bgm.media import audio
from bgm.music.composer.compose import compose
from bgm.music.score import Cue, Piece, Role, Score
from bgm.project import Project
from bgm.timeline import EMOTIONS, Style

WIDTH, HEIGHT, STRIP, MARGIN = 1100, 130, 26, 70
WINDOW = 4096
ROLL, ROLL_SECONDS = (200, 110), 20.0
LOWEST, HIGHEST = 28, 100
"""MIDI pitches at the foot and the head of a piano roll."""
COLOURS = {
    Role.LEAD: "#c0392b",
    Role.COUNTER: "#e08e0b",
    Role.BASS: "#1f5fa8",
    Role.ARP: "#2e8b57",
    Role.DRUMS: "black",
}
TOP_HZ, FLOOR_DB, RANGE_DB = 10_000, -85.0, 75.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("project", type=Path, nargs="?", help="a project folder that was rendered")
    arguments.add_argument("--notes", action="store_true", help="piano rolls of every style and mood")
    arguments.add_argument("-o", "--output", type=Path, required=True)
    asked = arguments.parse_args()
    if not asked.notes and asked.project is None:
        arguments.error("name a project folder, or say --notes")
    picture = draw_notes() if asked.notes else draw(projects.load(asked.project))
    picture.save(asked.output, optimize=True)
    print(asked.output)


def draw_notes(seed: int = 1) -> Image.Image:
    """The notes of all styles (rows) in all moods (columns): melody red, bass blue, chords grey, drums at the foot."""
    font = ImageFont.load_default(size=14)
    picture = Image.new(
        "RGB", (MARGIN + 40 + len(EMOTIONS) * (ROLL[0] + 4), STRIP + len(Style) * (ROLL[1] + 4)), "white"
    )
    pen = ImageDraw.Draw(picture)
    for row, style in enumerate(Style):
        top = STRIP + row * (ROLL[1] + 4)
        pen.text((4, top + ROLL[1] // 2 - 8), style.removeprefix("cinematic-"), font=font, fill="black")
        for column, emotion in enumerate(EMOTIONS):
            left = MARGIN + 40 + column * (ROLL[0] + 4)
            pen.text((left, 4), emotion, font=font, fill="black")
            piece = Piece(seed, ROLL_SECONDS, style)
            cue = Cue(piece, round(ROLL_SECONDS * audio.SAMPLE_RATE), emotion, 1.0, "", seed, False, False)
            _draw_roll(pen, (left, top), compose(cue))
    return picture


def _draw_roll(pen: ImageDraw.ImageDraw, corner: tuple[int, int], score: Score) -> None:
    left, top = corner
    pen.rectangle([left, top, left + ROLL[0], top + ROLL[1]], outline="#bbbbbb")
    across, down = ROLL[0] / score.seconds, (ROLL[1] - 12) / (HIGHEST - LOWEST)
    for note in score.notes:
        drum = note.role is Role.DRUMS
        y = top + ROLL[1] - 3 - 4 * (note.pitch % 3) if drum else top + (HIGHEST - note.pitch) * down
        x = left + note.start * across
        end = x + 1 if drum else max(x + 1, left + note.end * across - 1)
        pen.rectangle([x, y, end, y + 1], fill=COLOURS.get(note.role, "#888888"))


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
