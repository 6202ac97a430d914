"""The bundled sample: its score, which the landing plays, and the project that opens with one click.

``assets/score_sample.py`` made what lies beside it: its analysis and its music are not made again. A server unpacks and
mixes them once, when they are first asked for, and each visitor's project begins as links to that.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

from bgm import __version__, analysis, engines, studio, takes
from bgm import project as projects
from bgm.digest import digest, fingerprint
from bgm.engines import Stage
from bgm.errors import BgmError, Cancelled
from bgm.files import beside
from bgm.media import audio
from bgm.media.decode import decode
from bgm.media.picture import thumbnail
from bgm.media.probe import probe
from bgm.progress import Progress, Tick, side_by_side
from bgm.project import Project
from bgm.settings import Settings
from bgm.takes import Activity, Music, order, piece_of
from bgm.ui.steps import Records, mix_key
from bgm.ui.view import PREFIX, View

log = logging.getLogger("bgm")
POSTER_SECONDS, POSTER_WIDTH = 3.0, 640
WARM_SECONDS = 4
IDLE_SECONDS = 2.0
"""Between two looks whether a user's work is over."""
COMPOSER = "embedded"
"""The engine that made the takes shipped with the sample."""


def _patient() -> None:
    """Wait for all of it."""


@dataclass(frozen=True)
class Sample:
    """The sample's video and what lies beside it: subtitles, the scored video, and the folder of its analysis."""

    video: Path
    kept: Path
    """Where a server keeps the unpacked sample between its visitors and between its starts."""
    unpacking: threading.Lock = field(default_factory=threading.Lock, compare=False)

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
        """A project of the sample in ``folder`` (empty), analyzed and with its music: links to what is unpacked once.

        Without music where the server's settings ask for another one than the sample's: the page then makes it.
        """
        shutil.copytree(self._unpacked(settings), folder, copy_function=_link, ignore=_hidden, dirs_exist_ok=True)
        return projects.load(folder, settings)

    def warm(self, settings: Settings, tick: Tick = _patient) -> None:
        """Load the engines that are here by a few seconds of the sample: the first video then waits for no model.

        Nothing is fetched for it. ``tick`` is called now and then, and may raise.
        """
        with tempfile.TemporaryDirectory() as folder:
            whole, talk = Path(folder) / "whole.flac", Path(folder) / "talk.flac"
            decode(probe(self.video), whole, _ticking(tick))
            with audio.writer(talk) as out:
                out.write(audio.read(whole, 0, WARM_SECONDS * audio.SAMPLE_RATE))
            # Offline: preparing must not fetch gigabytes that nobody has asked for.
            project = studio.open_video(talk, Path(folder) / "project", replace(settings, offline=True))
            studio.analyze(project, lambda step: tick())
        log.info("the engines are loaded")

    def prepare(self, settings: Settings, is_busy: Callable[[], bool] = lambda: False) -> None:
        """Load the engines and unpack the sample, beside each other; nothing depends on it.

        Where a user's work is waiting (``is_busy``) it comes first: it loads its engines itself, and the sample is
        unpacked behind it.
        """

        def tick() -> None:
            if is_busy():
                raise Cancelled("somebody's work comes first")

        def unpack() -> None:
            while True:
                try:
                    self._unpacked(settings, tick)
                    return
                except Cancelled:
                    time.sleep(IDLE_SECONDS)

        # The reader of emotions is needed last, but its libraries take longest to import, which is work for one core.
        steps: list[Callable[[], None]] = [partial(_load_reader, settings), partial(self.warm, settings, tick)]
        steps += [unpack] if self.is_analyzed() else []
        list(side_by_side([partial(_tried, step) for step in steps], len(steps), _patient))

    def _unpacked(self, settings: Settings, tick: Tick = _patient) -> Path:
        """The folder that every visitor's project begins with; what another version left is deleted."""
        music = self._music(settings)
        packed = [fingerprint(file) for file in sorted(self.analysis.rglob("*")) if file.is_file()]
        known = (music.choice.label, music.fingerprint) if music else None
        # Named by everything that decides it, so that an update or another soundfont unpacks it anew, and old ones are
        # never served.
        ready = self.kept / digest(__version__, fingerprint(self.video), packed, known, repr(settings))
        with self.unpacking:
            if not projects.exists(ready):
                shutil.rmtree(self.kept, ignore_errors=True)
                part = ready.with_name("part")
                part.mkdir(parents=True)
                project = self._laid_out(part, settings, tick)
                if music:
                    _mixed(self._with_takes(project, music, tick), tick)
                # Renamed when whole: a server that was killed in the middle begins again.
                part.replace(ready)
        return ready

    def _music(self, settings: Settings) -> Music | None:
        """How the sample's music is made here; None where another engine than that of its takes would make it."""
        project = replace(projects.load(self.analysis), settings=settings)
        try:
            choice = studio.composer(project)
        except BgmError:
            return None
        return Music.of(choice, Activity.load(self.analysis / "activity.json")) if choice.name == COMPOSER else None

    def _with_takes(self, project: Project, music: Music, tick: Tick) -> Project:
        """The takes beside the sample as this server's own, where its settings would make the same.

        Their ids are those of what the composer would make here: another soundfont than the one of the sample sounds
        different, and is heard from the first edit on.
        """
        plain = replace(project, settings=Settings())
        timeline = project.timeline
        assert timeline is not None
        for segment in project.segments:
            tick()
            own, packed = (order(p, piece_of(p), segment, 0, music).take for p in (project, plain))
            if own != packed:
                return project
            with beside(project.take_path(own)) as part:
                _unpack_sound(self.analysis / "takes" / f"{segment.id}.ogg", part)
            timeline = takes.with_take(timeline, segment.id, own).update(segment.id, chosen=own.id)
        return replace(analysis.remember(project, music.choice), timeline=timeline).save()

    def _laid_out(self, folder: Path, settings: Settings, tick: Tick) -> Project:
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
            decode(probe(self.video), part, _ticking(tick))
        with beside(project.voice) as part:
            _unpack_sound(self.analysis / "voice.ogg", part)
        return project.save()


def _ticking(tick: Tick) -> Progress:
    return lambda fraction, note="": tick()


def _tried(step: Callable[[], None], check: Tick) -> None:
    try:
        step()
    except Cancelled:
        log.info("a user's work has come before the server was prepared")
    except (BgmError, OSError) as error:
        log.warning("the server could not prepare itself: %s", error)


def _load_reader(settings: Settings) -> None:
    options = engines.EngineOptions(offline=True, device=settings.device)
    engines.classifier(engines.choose(Stage.CLASSIFY, settings.classifier, options))


@lru_cache(maxsize=4)
def poster(video: Path) -> bytes:
    """A JPEG of the sample where its first words are seen."""
    return thumbnail(probe(video), POSTER_SECONDS, POSTER_WIDTH)


def _mixed(project: Project, tick: Tick) -> None:
    """Mix what is there, and note it as the page's own mixes are."""
    if not studio.stale(project):
        studio.mix_preview(project, lambda step: tick())
        replace(Records.load(project.folder), preview=mix_key(project)).save(project.folder)


def _unpack_sound(packed: Path, out: Path) -> None:
    sound = audio.read(packed)
    with audio.writer(out, sound.shape[1]) as target:
        target.write(sound)


def _link(source: str, target: str) -> None:
    """A link where the disk has links: the studio replaces files and never writes into one."""
    try:
        # A visitor's project costs no copy: takes and stems are never written into, only replaced.
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _hidden(folder: str, names: list[str]) -> list[str]:
    """Locks and marks of the composed project itself."""
    return [name for name in names if name.startswith(".")]
