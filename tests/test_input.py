"""Input that must be met with sense: each row of the table that a creator may run into."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest

from tests.shell import bgm


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def test_a_silent_video_gets_music(muted_mp4: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done = bgm("make", muted_mp4, "-o", out, "--offline", "--json")
    assert done.status == 0, done.err
    assert [s["emotion"] for s in done.result["segments"]] == ["neutral"]
    assert "no sound" in done.err or "no speech" in done.err
    assert done.result["lufs"] == pytest.approx(-14, abs=0.5)
    assert seconds(out) == pytest.approx(seconds(muted_mp4), abs=0.05)


def test_sound_alone_gives_sound_of_the_same_length(cate_mp3: Path, tmp_path: Path) -> None:
    talk, out = tmp_path / "talk.mp3", tmp_path / "out.mp3"
    talk.write_bytes(cate_mp3.read_bytes()[: 5 * cate_mp3.stat().st_size // round(seconds(cate_mp3))])  # 5 s of it
    done = bgm("make", talk, "-o", out, "--offline", "--json")
    assert done.status == 0, done.err
    assert done.result["engines"]["transcribe"]["name"] == "faster-whisper"
    assert seconds(out) == pytest.approx(seconds(talk), abs=0.1)


def test_half_a_second_works(world_mp4: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    from bgm.media import audio

    with av.open(str(world_mp4)) as container:
        first = next(f for f in container.decode(audio=0))
        assert first.sample_rate
    with audio.writer(short, 1) as file:
        file.write(audio.np.zeros((audio.frames_of(0.5), 1), audio.np.float32))
    done = bgm("make", short, "-o", tmp_path / "out.wav", "--offline", "--json")
    assert done.status == 0, done.err
    assert audio.length(tmp_path / "out.wav") == audio.frames_of(0.5)


@pytest.mark.parametrize("name", ["with space.mp4", 'it\'s "quoted".mp4', "한국어 영상.mp4", "-dash.mp4"])
def test_odd_names_work(muted_mp4: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(muted_mp4, tmp_path / name)
    done = bgm("make", name, "-o", f"out of {name}", "--offline", cwd=tmp_path)
    assert done.status == 0, done.err
    assert (tmp_path / f"out of {name}").is_file()


@pytest.mark.parametrize("trouble", ["text", "empty", "truncated", "folder", "missing", "image"])
def test_what_is_no_video_is_refused_in_one_line(world_mp4: Path, tmp_path: Path, trouble: str) -> None:
    video = tmp_path / "bad.mp4"
    if trouble == "text":
        video.write_text("this is not a video\n" * 100)
    elif trouble == "empty":
        video.touch()
    elif trouble == "truncated":
        video.write_bytes(world_mp4.read_bytes()[:4000])
    elif trouble == "folder":
        video.mkdir()
    elif trouble == "image":
        from PIL import Image

        Image.new("RGB", (64, 64)).save(tmp_path / "bad.png")
        video = tmp_path / "bad.png"
    before = set(tmp_path.rglob("*"))
    done = bgm("make", video, "-o", tmp_path / "out.mp4", "--offline")
    assert done.status == 2
    assert len(done.err.strip().splitlines()) == 1
    assert video.name in done.err
    assert set(tmp_path.rglob("*")) == before


def test_the_input_is_never_the_output(muted_mp4: Path, tmp_path: Path) -> None:
    video = Path(shutil.copy(muted_mp4, tmp_path / "a.mp4"))
    before = video.read_bytes()
    done = bgm("make", video, "-o", video, "--overwrite", "--offline")
    assert done.status == 2
    assert video.read_bytes() == before


def test_a_missing_output_folder_is_refused_before_the_work(muted_mp4: Path, tmp_path: Path) -> None:
    done = bgm("make", muted_mp4, "-o", tmp_path / "nowhere" / "out.mp4", "--offline")
    assert done.status == 2
    assert "nowhere" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--takes", "0"], "takes must be"),
        (["--music", "jukebox"], "there is no engine 'jukebox'"),
        (["--lufs", "loud"], "lufs must be youtube, apple, ebu, none or -60 to -5 LUFS; not 'loud'"),
        (["--subtitles", "none.srt"], "none.srt"),
        (["--min-segment", "-1"], "min-segment must be"),
        (["--language", "xx"], "doesn't know the language 'xx'"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(muted_mp4: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = bgm("make", muted_mp4, "-o", tmp_path / "out.mp4", "--offline", "--quiet", *words)
    assert done.status == 2
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_another_videos_project_is_not_overwritten(muted_mp4: Path, b_avi: Path, tmp_path: Path) -> None:
    assert bgm("analyze", muted_mp4, "--project", tmp_path / "p", "--offline").status == 0
    done = bgm("analyze", b_avi, "--project", tmp_path / "p", "--offline")
    assert done.status == 2
    assert "another video" in done.err


def test_score_and_render_need_a_project(tmp_path: Path) -> None:
    for step in (["compose", tmp_path], ["render", tmp_path, "-o", tmp_path / "out.mp4"]):
        done = bgm(*step)
        assert done.status == 2
        assert "there is no project" in done.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(["--audio-track", "9"], "there is no sound track 9"), (["--subtitles", "none.srt"], "none.srt does not exist")],
)
def test_a_refused_choice_is_not_kept(cate_mp3: Path, tmp_path: Path, wrong: list[str], said: str) -> None:
    """Else the same command without it would be refused too."""
    folder = tmp_path / "p"
    refused = bgm("analyze", cate_mp3, "--project", folder, "--offline", *wrong)
    assert (refused.status, refused.err.count("\n")) == (2, 1) and said in refused.err
    assert not folder.exists()
