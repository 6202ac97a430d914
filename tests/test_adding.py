"""What CONTRIBUTING promises: a new engine is its file and one line, a new setting a field and the place that reads it,
a new export its function and one line, a new emotion its label, its card, its look and its two names.

Each is added to a copy of the product, and all that must know it is asked there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE = """
from typing import ClassVar
import numpy as np
from bgm.engines import Composer
from bgm.media.audio import writer
from bgm.music.score import Made

class Hum(Composer):
    name: ClassVar[str] = "hum"
    revision: ClassVar[str] = "1"
    reads_sentences: ClassVar[bool] = True

    def __init__(self, options): ...

    @classmethod
    def missing(cls, options):
        return None

    def compose(self, cues, targets, progress):
        for i, cue in enumerate(cues):
            with writer(targets[i]) as file:
                file.write(np.full((cue.frames, 2), 0.1, np.float32))
            yield Made(i, ("It hums.",))
"""
LINE = '    EngineSpec(Stage.MUSIC, "hum", "bgm.music.hum:Hum", "hums"),\n)\n\n_EMBEDDED'
FIELD = "    takes: int = _card(\n"
NEW_FIELD = '    hum: bool = _card(False, help="hum along", group="music", on_page=True)\n' + FIELD
ASK_ENGINE = """
import sys
from pathlib import Path
from bgm import studio
from bgm.cli import parser
from bgm.settings import Settings
from bgm.ui import edits
told = parser()._subparsers._group_actions[0].choices["compose"].format_help()
assert "riffusion, embedded, hum" in " ".join(told.split())
assert "hum" in edits.controls()["music"]["choices"]
settings = edits.change_settings(Settings(offline=True, lora="someone/else"), {"music": "hum"})
project = studio.open_video(Path(sys.argv[1]), Path(sys.argv[2]), settings)
project = studio.analyze(project)
project = studio.edit(project, project.timeline.update(project.segments[0].id, prompt="frobnicate it"))
project = studio.compose(project)
assert [take.engine for s in project.segments for take in s.takes] == ["hum"] * len(project.segments)
assert project.notes["compose"] == ("It hums.",), project.notes
assert studio.stale(project) == ()
"""
ASK_SETTING = """
import sys
from dataclasses import replace
from pathlib import Path
from bgm import cli, project as projects
from bgm.cli import parser
from bgm.settings import SETTINGS, Settings, table
from bgm.ui import edits
arguments = parser().parse_args(["compose", "folder", "--hum"])
assert cli._changed(Settings(), arguments).hum is True
assert edits.change_settings(Settings(), {"hum": True}).hum is True and "hum" in edits.PAGE_SETTINGS
assert SETTINGS["hum"].card.portable and "| `hum` |" in table()
project = projects.create(Path(sys.argv[2]), Path(sys.argv[1]), 3.0, Settings(hum=True))
assert projects.load(project.folder).settings.hum is True
"""
WRITER = """
def _lyrics(project: Project, out: Path) -> None:
    write_text(out, "".join(f"[{u.start:.2f}]{u.text}\\n" for u in project.utterances))


EXPORTS = {
    "lrc": Export(".lrc", _lyrics),
"""
ASK_EXPORT = """
import sys
from dataclasses import replace
from pathlib import Path
from bgm import cli, studio
from bgm.settings import Settings
from bgm.timeline import Utterance
from bgm.ui import archive
from bgm.ui.view import project_view
project = studio.analyze(studio.open_video(Path(sys.argv[1]), Path(sys.argv[2]), Settings(offline=True)))
replace(project, utterances=(Utterance(0.5, 1.0, "la"),)).save()
assert cli.main(["export", sys.argv[2], "--to", "lrc", "-o", sys.argv[3]]) in (None, 0)
assert Path(sys.argv[3]).read_text() == "[0.50]la\\n"
assert archive.exported(project, "lrc").suffix == ".lrc"
assert {"kind": "lrc", "is_sound": False} in project_view("p", project, None)["exports"]
"""
CARD = """    Emotion.AWE: Mood(
        Character(3 / 4, 0.4, 78, 0.6, 0.1, 1.0, 0.3, 0.4, 0.9),
        modes=("lydian", "lydian"),
        styles=(Style.AMBIENT, Style.ORCHESTRAL),
        mood="vast, reverent",
        players="choir, horns",
        names=(Names("awe|awestruck", "경외"),),
    ),
    Emotion.ANGER: Mood(
"""
ASK_EMOTION = """
import sys
from pathlib import Path
import numpy as np
from bgm import studio
from bgm.media import audio
from bgm.music.composer.compose import compose
from bgm.music.direction import read
from bgm.music.riffusion.prompts import neighbour
from bgm.settings import Settings
from bgm.timeline import Emotion
from bgm.ui import looks
awe = Emotion("awe")
assert read("something awestruck").emotion is awe and read("경외").emotion is awe
assert "awe, vast, reverent" in neighbour(awe).wished[0][0]
assert "--fill-awe:#88ccaa;" in looks.colours() and "--dash-awe:5 1;" in looks.colours()
assert [looks.texts(language)["emotion_awe"] for language in looks.LANGUAGES] == ["awe", "경외"]
project = studio.analyze(studio.open_video(Path(sys.argv[1]), Path(sys.argv[2]), Settings(offline=True)))
project = studio.edit(project, project.timeline.set_emotion(project.segments[0].id, awe))
project = studio.compose(project)
take = project.take_path(project.segments[0].chosen_take)
assert project.segments[0].emotion is awe and np.abs(audio.read(take)).max() > 0.05
assert studio.stale(project) == ()
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the product that may be changed."""
    shutil.copytree(ROOT / "bgm", tmp_path / "house" / "bgm", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "house"


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def asked(house: Path, question: str, *words: Path) -> None:
    command = [sys.executable, "-c", question, *map(str, words)]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_engine_is_its_file_and_one_line(house: Path, muted_mp4: Path, tmp_path: Path) -> None:
    (house / "bgm" / "music" / "hum.py").write_text(ENGINE, encoding="utf-8")
    changed(house / "bgm" / "engines.py", ")\n\n_EMBEDDED", LINE)
    asked(house, ASK_ENGINE, muted_mp4, tmp_path / "p")


def test_a_setting_is_a_field_and_whoever_reads_it(house: Path, muted_mp4: Path, tmp_path: Path) -> None:
    changed(house / "bgm" / "settings.py", FIELD, NEW_FIELD)
    asked(house, ASK_SETTING, muted_mp4, tmp_path / "p")


def test_an_export_is_its_function_and_one_line(house: Path, muted_mp4: Path, tmp_path: Path) -> None:
    changed(house / "bgm" / "export.py", "EXPORTS = {\n", WRITER)
    asked(house, ASK_EXPORT, muted_mp4, tmp_path / "p", tmp_path / "words.lrc")


def test_an_emotion_is_its_label_its_card_its_look_and_its_names(house: Path, muted_mp4: Path, tmp_path: Path) -> None:
    static = house / "bgm" / "ui" / "static"
    changed(house / "bgm" / "timeline.py", '    ANGER = "anger"\n', '    ANGER = "anger"\n    AWE = "awe"\n')
    changed(house / "bgm" / "music" / "composer" / "moods.py", "    Emotion.ANGER: Mood(\n", CARD)
    look = '    Emotion.AWE: Look("#88ccaa", "#116644", (5, 1)),\n    Emotion.ANGER: Look('
    changed(house / "bgm" / "ui" / "looks.py", "    Emotion.ANGER: Look(", look)
    for language, name in (("en", "awe"), ("ko", "경외")):
        key = '"emotion_anger": '
        changed(static / f"texts.{language}.json", key, f'"emotion_awe": "{name}", {key}')
    asked(house, ASK_EMOTION, muted_mp4, tmp_path / "p")
