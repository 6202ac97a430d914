"""The bundled sample: its score, which the landing plays, and the project that opens with one click.

``assets/score_sample.py`` made what lies beside it; its analysis is not done again. Its music is this machine's own: a
server composes it once, when it starts, and each visitor's project begins as links to that.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from bgm import __version__, studio
from bgm import project as projects
from bgm.cues import Activity, Music
from bgm.digest import digest, fingerprint
from bgm.errors import BgmError
from bgm.files import beside
from bgm.media import audio
from bgm.media.decode import decode
from bgm.media.picture import thumbnail
from bgm.media.probe import probe
from bgm.project import Project
from bgm.settings import Settings
from bgm.ui import steps
from bgm.ui.view import PREFIX, View

log = logging.getLogger("bgm")
POSTER_SECONDS, POSTER_WIDTH = 3.0, 640
WARM_SECONDS = 8


@dataclass(frozen=True)
class Sample:
    """The sample's video and what lies beside it: subtitles, the scored video, and the folder of its analysis."""

    video: Path
    kept: Path
    """Where a server keeps the composed sample between its visitors and between its starts."""

    @property
    def scored(self) -> Path:
        return self.video.with_name(f"{self.video.stem}-scored{self.video.suffix}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The video, with its subtitles where it has them."""
        return tuple(p for p in (self.video, *map(self.video.with_suffix, (".srt", ".vtt"))) if p.is_file())[:2]

    @property
    def analysis(self) -> Path:
        return self.video.with_suffix("")

    def is_analyzed(self) -> bool:
        """Whether the analysis beside it is of this very video."""
        try:
            state = json.loads((self.analysis / "state.json").read_text(encoding="utf-8"))
            return bool(state["video"] == fingerprint(self.video))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def showcase(self) -> View | None:
        """What the landing draws under the scored sample: its stretches and the peaks of its music; None without."""
        if not (self.is_analyzed() and self.scored.is_file()):
            return None
        project = projects.load(self.analysis)
        peaks = json.loads((self.analysis / "music.json").read_text(encoding="utf-8"))
        spans = [{"start": s.start, "end": s.end, "emotion": s.emotion} for s in project.segments]
        addresses = {name: f"{PREFIX}/sample/{name}" for name in ("video", "scored", "poster")}
        return {**addresses, "duration": project.duration, "segments": spans, "peaks": peaks}

    def file(self, name: str) -> Path | None:
        """What an address under ``studio/sample/`` stands for."""
        return {"video": self.video, "scored": self.scored}.get(name)

    def open(self, folder: Path, settings: Settings) -> Project:
        """A project of the sample in ``folder`` (empty), analyzed; with its music where the server has composed it."""
        ready = self.kept / self._key(settings)
        if projects.exists(ready):
            shutil.copytree(ready, folder, copy_function=_link, ignore=_hidden, dirs_exist_ok=True)
            return projects.load(folder, settings)
        return self._laid_out(folder, settings)

    def compose(self, settings: Settings) -> None:
        """Compose and mix the sample, unless that is done or costs; what an older version composed is deleted."""
        ready = self.kept / self._key(settings)
        if projects.exists(ready) or not self.is_analyzed():
            return
        shutil.rmtree(self.kept, ignore_errors=True)
        part = ready.with_name("part")
        part.mkdir(parents=True)
        project = self._laid_out(part, settings)
        if steps.is_quick(project):
            steps.preview(project, steps.StepOptions(), lambda step: None)
            part.replace(ready)
            log.info("the sample is composed")

    def warm(self, settings: Settings) -> None:
        """Load the engines that are here by a few seconds of the sample: the first video then waits for no model.

        Nothing is fetched for it.
        """
        with tempfile.TemporaryDirectory() as folder:
            whole, talk = Path(folder) / "whole.flac", Path(folder) / "talk.flac"
            decode(probe(self.video), whole)
            with audio.writer(talk) as out:
                out.write(audio.read(whole, 0, WARM_SECONDS * audio.SAMPLE_RATE))
            studio.analyze(studio.open_video(talk, Path(folder) / "project", replace(settings, offline=True)))

    def prepare(self, settings: Settings) -> None:
        """Compose the sample and load the engines in the background: nobody waits, and nothing depends on it."""

        def work() -> None:
            for step in (self.compose, self.warm):
                try:
                    step(settings)
                except (BgmError, OSError) as error:
                    log.warning("the sample could not be prepared: %s", error)

        threading.Thread(target=work, name="bgm-sample", daemon=True).start()

    def _key(self, settings: Settings) -> str:
        """Of all that its project is made from: another version, soundfont or setting makes another."""
        try:
            project = replace(projects.load(self.analysis), settings=settings)
            music = Music.of(studio.composer(project), Activity()).fingerprint
        except BgmError:
            music = ""
        return digest(__version__, fingerprint(self.video), music, repr(settings))

    def _laid_out(self, folder: Path, settings: Settings) -> Project:
        """The analysis as a project's files."""
        for name in ("source", "media", "stems", "takes"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for file in self.files:
            shutil.copyfile(file, folder / "source" / file.name)
        for name in (projects.FILE, "state.json"):
            shutil.copyfile(self.analysis / name, folder / name)
        project = replace(projects.load(folder), settings=settings)
        shutil.copyfile(self.analysis / "activity.json", project.activity)
        with beside(project.audio) as part:
            decode(probe(self.video), part)
        voice = audio.read(self.analysis / "voice.ogg")
        with beside(project.voice) as part, audio.writer(part, voice.shape[1]) as out:
            out.write(voice)
        return project.save()


@lru_cache(maxsize=4)
def poster(video: Path) -> bytes:
    """A JPEG of the sample where its first words are seen."""
    return thumbnail(probe(video), POSTER_SECONDS, POSTER_WIDTH)


def _link(source: str, target: str) -> None:
    """A link where the disk has links: the studio replaces files and never writes into one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _hidden(folder: str, names: list[str]) -> list[str]:
    """Locks and marks of the composed project itself."""
    return [name for name in names if name.startswith(".")]
