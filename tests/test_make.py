"""The main job from the shell: one video in, the same video with its own music out."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest

from bgm.export import EXPORTS
from tests.faults.clips import LINES, clip
from tests.shell import ROOT, Done, bgm, process


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.pts is not None]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s with four lines of subtitles beside it."""
    return clip(tmp_path_factory.mktemp("video") / "talk.mp4", 16.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, video: Path) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("make") / "scored.mp4"
    return out, process("make", video, "-o", out, "--offline", "--json", "--min-segment", "2")


def test_the_video_has_its_own_music(made: tuple[Path, Done], video: Path) -> None:
    out, done = made
    assert done.status == 0, done.err
    result = done.result
    assert result["output"] == str(out)
    assert abs(result["lufs"] + 14) <= 0.5
    assert result["true_peak_db"] <= -1.0 + 0.1
    assert len({s["emotion"] for s in result["segments"]}) >= 4
    assert result["engines"]["transcribe"]["name"] == "subtitles"
    assert not any(s["stale"] for s in result["segments"])
    assert any("copied without encoding" in kept for kept in result["notes"]["kept"])
    assert result["notes"]["kept"][0] in done.err


def test_the_picture_is_copied_packet_for_packet(made: tuple[Path, Done], video: Path) -> None:
    out, _ = made
    before, after = packets(video, "video"), packets(out, "video")
    assert [data for _, data in before] == [data for _, data in after]
    assert [t - before[0][0] for t, _ in before] == pytest.approx([t - after[0][0] for t, _ in after], abs=1e-3)


def test_the_sound_lasts_as_long_as_all_of_the_video(made: tuple[Path, Done], video: Path) -> None:
    out, _ = made
    with av.open(str(out)) as after, av.open(str(video)) as before:
        sound = after.streams.audio[0]
        longest = max(float(s.duration * s.time_base) for s in (*before.streams.video, *before.streams.audio))
        assert float(sound.duration * sound.time_base) == pytest.approx(longest, abs=1e-3)


def test_progress_names_stage_percentage_and_time(made: tuple[Path, Done]) -> None:
    _, done = made
    assert "%" in done.err
    for stage in ("separate", "music", "mix", "remux"):
        assert stage in done.err
    assert "left" in done.err
    assert re.search(r"segment \d+ of \d+", done.err)


def test_after_a_hand_edit_only_that_segment_is_made_again(made: tuple[Path, Done], tmp_path: Path) -> None:
    out, _ = made
    project = tmp_path / "edited.bgm"
    shutil.copytree(out.with_name(f"{out.name}.bgm"), project)
    before = {f.name: f.read_bytes() for f in (project / "takes").glob("*.flac")}
    document = json.loads((project / "project.json").read_text(encoding="utf-8"))
    segment = document["segments"][1]
    segment["emotion"] = "joy" if segment["emotion"] != "joy" else "fear"
    segment["prompt"] = "no brass, purple elephants"
    (project / "project.json").write_text(json.dumps(document), encoding="utf-8")
    scored = bgm("compose", project, "--json", "--offline")
    assert scored.status == 0, scored.err
    told = f"words of segment {segment['id']}: not understood: “purple elephants”"
    assert scored.result["notes"]["compose"] == [told]
    assert told in bgm("compose", project, "--offline").out
    after = {f.name: f.read_bytes() for f in (project / "takes").glob("*.flac")}
    assert {name: after.get(name) for name in before} == before
    assert len(after) == len(before) + 1
    rendered = bgm("render", project, "-o", tmp_path / "again.mp4", "--json")
    assert rendered.status == 0, rendered.err
    assert not any(s["stale"] for s in rendered.result["segments"])


def test_another_seed_makes_another_take_that_is_heard(made: tuple[Path, Done], tmp_path: Path) -> None:
    out, _ = made
    project = tmp_path / "seeded.bgm"
    shutil.copytree(out.with_name(f"{out.name}.bgm"), project)
    document = json.loads((project / "project.json").read_text(encoding="utf-8"))
    before = document["segments"][0]["chosen"]
    document["segments"][0]["seed"] += 1
    (project / "project.json").write_text(json.dumps(document), encoding="utf-8")
    scored = bgm("compose", project, "--json", "--offline")
    assert scored.status == 0, scored.err
    first = scored.result["segments"][0]
    assert first["chosen"] != before
    assert first["takes"] == 2
    assert not first["stale"]


def test_the_same_command_again_does_no_work_twice(made: tuple[Path, Done], video: Path) -> None:
    out, _ = made
    project = out.with_name(f"{out.name}.bgm")
    before = {f.name: f.stat().st_mtime_ns for f in [*(project / "takes").iterdir(), project / "stems/voice.flac"]}
    refused = bgm("make", video, "-o", out, "--offline", "--min-segment", "2")
    assert refused.status == 2
    assert "--overwrite" in refused.err
    again = bgm("make", video, "-o", out, "--offline", "--overwrite", "--quiet")
    assert again.status == 0
    assert again.err == ""
    assert before == {
        f.name: f.stat().st_mtime_ns for f in [*(project / "takes").iterdir(), project / "stems/voice.flac"]
    }


@pytest.mark.parametrize("kind", list(EXPORTS))
def test_a_project_is_exported(made: tuple[Path, Done], tmp_path: Path, kind: str) -> None:
    out, _ = made
    target = tmp_path / f"exported{'' if kind == 'stems' else EXPORTS[kind].suffix}"
    done = bgm("export", out.with_name(f"{out.name}.bgm"), "--to", kind, "-o", target)
    assert done.status == 0, done.err
    if kind == "stems":
        assert {f.name for f in target.iterdir()} == {"voice.wav", "bgm.wav"}
    else:
        assert target.stat().st_size > 100


def test_the_transcript_is_a_subtitle_track_that_players_show_when_asked(
    made: tuple[Path, Done], tmp_path: Path
) -> None:
    out, _ = made
    titled = tmp_path / "titled.mp4"
    done = bgm("render", out.with_name(f"{out.name}.bgm"), "-o", titled, "--subtitle-track")
    assert done.status == 0, done.err
    with av.open(str(out)) as plain, av.open(str(titled)) as video:
        assert len(plain.streams.subtitles) == 0
        (track,) = video.streams.subtitles
        assert track.codec_context.name == "mov_text" and track.language == "eng"
    assert packets(out, "video") == packets(titled, "video"), "nothing is burnt in"


def _hear_ctrl_c() -> None:
    """A shell's background job ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stop_while_it_separates(video: Path, out: Path) -> tuple[float, str]:
    """Press Ctrl-C: how long the end took (s), and what was said from then on."""
    command = [sys.executable, "-m", "bgm", "make", str(video), "-o", str(out), "--offline"]
    options: dict[str, Any] = {"cwd": ROOT, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, **options, preexec_fn=_hear_ctrl_c)  # noqa: PLW1509
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("separate"):
            break
    asked = time.monotonic()
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(timeout=60) == 130
    return time.monotonic() - asked, rest


def test_stopped_by_ctrl_c_it_ends_and_the_same_command_goes_on(tmp_path: Path) -> None:
    video, out = clip(tmp_path / "talk.mp4", 6.0, LINES[:2]), tmp_path / "stopped.mp4"
    _, rest = stop_while_it_separates(video, out)
    assert "resumes" in rest
    assert "Traceback" not in rest and "mix" not in rest
    project = tmp_path / "stopped.mp4.bgm"
    assert (project / "media" / "audio.flac").is_file()
    assert not list(tmp_path.rglob(".bgm-part-*"))
    decoded = (project / "media" / "audio.flac").stat().st_mtime_ns
    resumed = bgm("make", video, "-o", out, "--offline", "--json")
    assert resumed.status == 0, resumed.err
    assert (project / "media" / "audio.flac").stat().st_mtime_ns == decoded


@pytest.mark.slow
def test_the_bundled_sample_has_music_of_its_emotions(sample: Path, tmp_path: Path) -> None:
    done = process("make", sample, "-o", tmp_path / "scored.mp4", "--offline", "--json")
    assert done.status == 0, done.err
    assert len({s["emotion"] for s in done.result["segments"]}) >= 4
    assert abs(done.result["lufs"] + 14) <= 0.5


@pytest.mark.slow
def test_ctrl_c_ends_it_within_seconds(sample: Path, tmp_path: Path) -> None:
    """A native call over the whole sample is not waited for."""
    assert stop_while_it_separates(sample, tmp_path / "stopped.mp4")[0] < 2.5
