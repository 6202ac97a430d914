"""Real files of every kind that a user may bring, made at the start of a run; small, so that a case takes little."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from bgm import project as projects
from bgm.media import audio
from bgm.project import EngineUse, Project
from bgm.settings import Settings
from bgm.timeline import EMOTIONS, Emotion, Segment, Take, Timeline, Utterance
from bgm.ui import archive

SECONDS = 2.0
SRT = "1\n00:00:00,200 --> 00:00:00,900\nHello <i>there</i>\nsecond line\n\n2\n00:00:01,000 --> 00:00:01,800\n안녕\n"
_VTT = (
    "WEBVTT\nLanguage: en\n\nNOTE a note\n\nintro\n00:00.200 --> 00:00.900 align:start\n<v Mary>Hello &amp; welcome\n"
    "\n00:01.000 --> 00:01.800\nHow<00:00:01.400><c> nice</c>\n"
)
_ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,16\n\n"
    "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:00.20,0:00:00.90,Default,,0,0,0,,Hello {\\i1}there{\\i0}\n"
    "Dialogue: 0,0:00:01.00,0:00:01.80,Default,,0,0,0,,two\\Nlines\n"
)
_TAGS = ";FFMETADATA1\ntitle=제목\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
_PICTURE = ("-f", "lavfi", "-i", f"testsrc2=s=96x64:r=25:d={SECONDS}")
_SOUND = ("-f", "lavfi", "-i", f"sine=440:d={SECONDS}:sample_rate=48000")
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "20", "-c:a", "aac")
_VIDEOS = {
    "old.avi": ("-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3"),
    "web.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "broadcast.ts": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "flash.flv": (*_H264,),
    "apple.mov": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
}
_SOUNDS = {
    "song.mp3": ("-c:a", "libmp3lame"),
    "song.wav": ("-c:a", "pcm_s16le"),
    "song.flac": ("-c:a", "flac"),
    "song.ogg": ("-c:a", "libvorbis"),
    "song.opus": ("-c:a", "libopus"),
    "song.m4a": ("-c:a", "aac"),
}


@dataclass(frozen=True)
class Sample:
    """A file that is mutated. ``kind`` says what a user does with it; ``path`` lies in ``home`` with all it needs."""

    kind: str
    home: Path
    path: Path

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.path.name}"


def make(folder: Path) -> list[Sample]:
    """All samples under ``folder`` and, as ``bed.flac`` in it, the music that is laid under each video."""
    folder.mkdir()
    tone(folder / "bed.flac", SECONDS)
    project = _project(folder / "project")
    files = ("state.json", "stems/activity.json", "stems/voice.flac", "stems/bgm.flac", "takes/s1-t1.flac", "page.json")
    return [
        *_alone("media", folder / "media", _media),
        *_alone("subtitles", folder / "subtitles", _subtitles),
        *(
            Sample("project", project.folder, project.folder / name)
            for name in ("project.json", *files, "project.json")
        ),
        *_alone("archive", folder / "archive", lambda into: [_archive(project, into)]),
    ]


def tone(path: Path, seconds: float) -> Path:
    """A quiet tone in the studio's own format."""
    time = np.arange(audio.frames_of(seconds), dtype=np.float32) / audio.SAMPLE_RATE
    wave = 0.1 * np.sin(2 * np.pi * 330 * time)
    with audio.writer(path) as out:
        out.write(np.repeat(wave[:, None], 2, axis=1).astype(np.float32))
    return path


def _alone(kind: str, folder: Path, write) -> list[Sample]:  # type: ignore[no-untyped-def]
    """Samples that need no other file beside them: each in a home of its own."""
    folder.mkdir(parents=True)
    found = []
    for path in write(folder):
        home = folder / path.name.replace(".", "-")
        home.mkdir()
        found.append(Sample(kind, home, path.rename(home / path.name)))
    return found


def _media(folder: Path) -> list[Path]:
    made = [_ffmpeg(*_PICTURE, *_SOUND, *codec, folder / name) for name, codec in _VIDEOS.items()]
    made += [_ffmpeg(*_SOUND, *codec, folder / name) for name, codec in _SOUNDS.items()]
    plain = _ffmpeg(*_PICTURE, *_SOUND, *_H264, folder / "plain.mp4")
    (text := folder.parent / "text.srt").write_text(SRT, encoding="utf-8")
    (tags := folder.parent / "tags.txt").write_text(_TAGS, encoding="utf-8")
    rich = ("-display_rotation", 90, "-i", plain, "-i", tags, "-i", text, "-map", 0, "-map", 2, "-map_metadata", 1)
    made.append(_ffmpeg(*rich, "-c", "copy", "-c:s", "mov_text", folder / "rich.mp4"))
    fragments = ("-movflags", "+frag_keyframe+empty_moov")
    made.append(_ffmpeg("-i", plain, "-c", "copy", *fragments, folder / "fragments.mp4"))
    tracks = ("-map", "0:v", "-map", "0:a", "-map", "0:s", "-c", "copy", "-c:s", "srt")
    made.append(_ffmpeg("-i", made[-2], *tracks, folder / "rich.mkv"))
    cover = _ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", 1, folder.parent / "cover.png")
    covered = ("-i", folder / "song.mp3", "-i", cover, "-map", 0, "-map", 1, "-c", "copy")
    made.append(_ffmpeg(*covered, folder / "covered.mp3"))
    return [*made, plain]


def _subtitles(folder: Path) -> list[Path]:
    texts = {"talk.srt": SRT, "talk.vtt": _VTT, "talk.ass": _ASS}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "wide.srt").write_text(SRT, encoding="utf-16")
    (folder / "old.srt").write_text(SRT.replace("안녕", "déjà vu, à l'école"), encoding="latin-1")
    return sorted(folder.iterdir())


def _project(folder: Path) -> Project:
    """A whole project as a run leaves it: analyzed, scored, with a voice stem."""
    for name in ("source", "media", "stems", "takes"):
        (folder / name).mkdir(parents=True)
    half = SECONDS / 2
    video = _ffmpeg(*_PICTURE, *_SOUND, *_H264, folder / "source" / "clip.mp4")
    for name in ("media/audio.flac", "stems/voice.flac", "stems/bgm.flac"):
        tone(folder / name, SECONDS)
    even = dict.fromkeys(EMOTIONS, 1 / len(EMOTIONS))
    takes = [Take(f"t{n}", "embedded", n, f"takes/s{n}-t{n}.flac") for n in (1, 2)]
    for take in takes:
        tone(folder / take.file, half)
    segments = (
        Segment("s1", 0.0, half, Emotion.JOY, chosen="t1", takes=(takes[0],)),
        Segment(
            "s2", half, SECONDS, Emotion.SADNESS, source="user", prompt="느린 피아노", chosen="t2", takes=(takes[1],)
        ),
    )
    project = projects.create(folder, video, SECONDS, Settings(min_segment=0.5))
    project = replace(
        project,
        language="ko",
        utterances=(Utterance(0.2, 0.9, "안녕", "hello", even), Utterance(1.0, 1.8, "bye", "bye")),
        timeline=Timeline(SECONDS, segments),
        engines={"music": EngineUse("embedded", "first choice")},
    ).save()
    project.activity.write_text(json.dumps({"speech": [[0.2, 0.9], [1.0, 1.8]], "cuts": [0.5]}))
    project.mark("video", "0123456789abcdef")
    (folder / "page.json").write_text(json.dumps({"preview": None, "result": {"file": "clip - BGM.mp4", "key": "0"}}))
    return project


def _archive(project: Project, folder: Path) -> Path:
    packed = archive.pack(project)
    out = Path(shutil.move(packed, folder / packed.name))
    shutil.rmtree(project.folder / archive.OUTGOING)
    return out


def _ffmpeg(*arguments: object) -> Path:
    quiet = (imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y")
    subprocess.run([*quiet, *map(str, arguments[:-1]), "-bitexact", str(arguments[-1])], check=True)
    return Path(str(arguments[-1]))
