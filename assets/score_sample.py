"""Score the sample: the video that the page's first view plays, and the analysis with which the sample opens at once.

    python -m assets.score_sample

The studio's own steps on assets/sample.mp4. Beside it comes sample-scored.mp4; in the folder sample what the analysis
found (project.json and state.json without takes, activity.json), the voice and the takes as Vorbis and the peaks of the
music.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import soundfile

from bgm import studio
from bgm.engines import Stage
from bgm.media import audio
from bgm.project import Project, dumps
from bgm.settings import Settings
from bgm.timeline import Timeline

SAMPLE = Path(__file__).with_name("sample.mp4")
PEAKS = 240


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = scored(Path(folder))
        keep(made, SAMPLE.with_suffix(""))
    for file in (SAMPLE.with_name("sample-scored.mp4"), *sorted(SAMPLE.with_suffix("").rglob("*.*"))):
        print(f"{file.relative_to(SAMPLE.parent)}: {file.stat().st_size / 1e6:.2f} MB")


def scored(folder: Path) -> Project:
    """The project of the sample, analyzed, scored and rendered."""
    source = folder / "source"
    source.mkdir()
    for file in (SAMPLE, SAMPLE.with_suffix(".srt")):
        shutil.copy(file, source)
    project = studio.open_video(source / SAMPLE.name, folder, Settings(music="embedded", offline=True))
    project = studio.compose(studio.analyze(project))
    return studio.render(project, SAMPLE.with_name("sample-scored.mp4"), overwrite=True).project


def keep(project: Project, folder: Path) -> None:
    """What the page needs of it."""
    folder.mkdir(exist_ok=True)
    segments = tuple(replace(s, chosen=None, takes=()) for s in project.segments)
    engines = {stage: use for stage, use in project.engines.items() if stage != Stage.MUSIC}
    notes = {step: said for step, said in project.notes.items() if step in {"source", "decode", "separate"}}
    bare = replace(project, timeline=Timeline(project.duration, segments), engines=engines, notes=notes)
    (folder / "project.json").write_text(dumps(replace(bare, settings=Settings())), encoding="utf-8")
    shutil.copy(project.folder / "state.json", folder)
    shutil.copy(project.activity, folder)
    peaks = [round(peak, 3) for peak in audio.peaks(project.bgm, PEAKS)]
    (folder / "music.json").write_text(json.dumps(peaks), encoding="utf-8")
    pack(project.voice, folder / "voice.ogg")
    (folder / "takes").mkdir(exist_ok=True)
    for segment in project.segments:
        take = segment.chosen_take
        assert take is not None
        pack(project.take_path(take), folder / "takes" / f"{segment.id}.ogg")


def pack(sound: Path, out: Path) -> None:
    """As Vorbis."""
    samples = audio.read(sound)
    with soundfile.SoundFile(
        out, "w", audio.SAMPLE_RATE, samples.shape[1], "VORBIS", format="OGG", compression_level=0.5
    ) as target:
        for start in range(0, len(samples), audio.SAMPLE_RATE):  # libsndfile's Vorbis overflows on a long block
            target.write(samples[start : start + audio.SAMPLE_RATE])


if __name__ == "__main__":
    main()
