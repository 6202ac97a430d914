"""A set of captioned spectrograms: what gets into it, what is refused, and that a stopped command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from bgm.errors import BadInput
from bgm.media.audio import SAMPLE_RATE
from bgm.timeline import Style
from bgm.training import examples, spectrograms, tracks
from bgm.training.spectrograms import Job, Options, crops, held_out, is_fit, make
from bgm.training.tracks import Track, composed, read_tracks
from testing.spectrograms import mel_from_image

ROOT = Path(__file__).resolve().parents[2]


def noise(path: Path, seconds: float, *, level: float = 0.1, **tags: str) -> Path:
    """A sound file with its own tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = level * np.random.default_rng(len(path.name)).standard_normal((round(seconds * SAMPLE_RATE), 2))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.clip(wave, -1, 1).astype(np.float32))
    return path


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / split / "metadata.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("Attribution 4.0 International", "CC-BY-4.0"),
        ("cc0", "CC0-1.0"),
        ("Public Domain Mark 1.0", "PDM-1.0"),
        ("own", "own"),
    ],
)
def test_a_licence_that_allows_it_is_known_by_its_usual_names(text: str, name: str) -> None:
    assert tracks.licence(text).name == name
    assert tracks.why_not(text) is None


@pytest.mark.parametrize(
    "text", ["", "All rights reserved", "royalty free, no attribution required", "FMA-Limited: Download Only", "by me"]
)
def test_what_is_no_licence_is_refused_whatever_is_allowed(text: str) -> None:
    assert tracks.why_not(text, frozenset(tracks.CONDITIONS))


def test_conditions_are_refused_unless_the_user_answers_for_them() -> None:
    text = "CC BY-NC-ND 4.0"
    why = tracks.why_not(text)
    assert why and "no commercial use and no derivatives" in why
    assert tracks.why_not(text, tracks.conditions("nc,nd")) is None
    with pytest.raises(BadInput, match="nc and nd only"):
        tracks.conditions("unknown")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three usable tracks, and four that aren't."""
    folder = tmp_path_factory.mktemp("music")
    noise(folder / "happy" / "a.flac", 12, license="CC BY 4.0", title="A", artist="Ann")
    noise(folder / "happy" / "bb.flac", 12, license="CC0", title="B")
    noise(folder / "happy" / "ccc.flac", 12, license="CC0", title="C")
    noise(folder / "reserved.flac", 6, license="All rights reserved")
    noise(folder / "unlabelled.flac", 6, license="CC0")
    noise(folder / "calm" / "silent.flac", 6, level=1e-5, license="CC0")
    (folder / "calm" / "broken.mp3").write_bytes(b"ID3 not a sound")
    return folder


@pytest.fixture(scope="module")
def made(music: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    out = tmp_path_factory.mktemp("made") / "set"
    return out, spectrograms.main([str(music), "-o", str(out), "--licence", "CC0", "--quiet", "--processes", "2"])


def test_every_picture_is_riffusions_with_a_caption(made: tuple[Path, int]) -> None:
    out, status = made
    found = [(out / split / row["file_name"], row) for split in spectrograms.SPLITS for row in rows(out, split)]
    assert status == 0 and len(found) == 6
    for path, row in found:
        with Image.open(path) as image:
            assert image.size == (512, 512)
            _, params = mel_from_image(image)
        assert params == spectrograms.PARAMS and params.sample_rate == 44_100
        assert row["text"] == "joy, happy" and row["emotion"] == "joy"


def test_no_track_is_in_both_splits(made: tuple[Path, int]) -> None:
    train, held = ({row["track"] for row in rows(made[0], split)} for split in spectrograms.SPLITS)
    assert len(train) == 2 and len(held) == 1 and not train & held


def test_what_was_left_out_is_named_with_why(made: tuple[Path, int]) -> None:
    ledger = [json.loads(line) for line in (made[0] / "tracks.jsonl").read_text().splitlines()]
    why = {line["track"]: line["left_out"] for line in ledger if not line["crops"]}
    assert set(why) == {"calm/broken.mp3", "calm/silent.flac", "reserved.flac", "unlabelled.flac"}
    assert "All rights reserved" in why["reserved.flac"] and "silent" in why["calm/silent.flac"]
    card = (made[0] / examples.CARD).read_text()
    assert all(f"- {name}: {sentence}" in card for name, sentence in why.items())


def test_the_card_gives_each_author_credit_and_no_licence_that_some_lack(made: tuple[Path, int]) -> None:
    card = (made[0] / examples.CARD).read_text()
    assert "A by Ann, CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/), 2 crops" in card
    assert examples.licence_of(made[0]) == "other"


def test_running_again_makes_nothing_anew_and_another_choice_leaves_no_old_picture(
    made: tuple[Path, int], music: Path
) -> None:
    out, _ = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert spectrograms.main([str(music), "-o", str(out), "--licence", "CC0", "--quiet", "--processes", "1"]) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    noise(music / "happy" / "bb.flac", 6, license="All rights reserved")
    assert spectrograms.main([str(music), "-o", str(out), "--licence", "CC0", "--quiet", "--processes", "1"]) == 0
    assert len(list(out.rglob("*.png"))) == sum(len(rows(out, split)) for split in spectrograms.SPLITS) == 4


def test_a_killed_command_goes_on_to_the_same_set(tmp_path: Path) -> None:
    for number in range(6):
        noise(tmp_path / "calm" / f"{'x' * (number + 1)}.flac", 12)
    arguments = [str(tmp_path / "calm"), "--licence", "own", "--quiet", "--processes", "1", "-o", str(tmp_path / "set")]
    listed = "".join(f"{'x' * (n + 1)}.flac,own,calm\n" for n in range(6))
    (tmp_path / "calm" / "metadata.csv").write_text(f"file_name,licence,tags\n{listed}")
    records = tmp_path / "set" / ".tracks"
    with subprocess.Popen([sys.executable, "-m", "bgm.training.spectrograms", *arguments], cwd=ROOT) as process:
        while process.poll() is None and not list(records.glob("*.json")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finished = {path: path.stat().st_mtime_ns for path in records.glob("*.json")}
    assert 0 < len(finished) < 6 and not (tmp_path / "set" / "README.md").exists()
    assert spectrograms.main(arguments) == 0
    assert all(path.stat().st_mtime_ns == then for path, then in finished.items())
    found = [row for split in spectrograms.SPLITS for row in rows(tmp_path / "set", split)]
    assert len(found) == 12 == len(list((tmp_path / "set").rglob("*.png")))
    assert not list((tmp_path / "set").rglob(".bgm-part-*"))


def test_a_table_of_either_kind_is_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path,license,tags,bpm\nx/1.mp3,CC-BY 3.0,mood/theme---dark;piano,90\n")
    line = {"file": "x/1.mp3", "licence": "CC-BY 3.0", "tags": ["dark", "Piano"], "tempo": 90}
    (tmp_path / "b.jsonl").write_text(json.dumps(line) + "\n")
    tracks = [read_tracks(tmp_path / name)[0] for name in ("a.csv", "b.jsonl")]
    assert tracks[0] == tracks[1] and tracks[0].caption == "fear, dark, piano, 90 bpm"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "title\nx\n", "no path"),
        ("a.jsonl", "{broken\n", "JSONL"),
        ("a.jsonl", "3\n", "no object"),
        ("a.txt", "x\n", "neither a folder nor"),
        ("a.csv", "path,licence\n", "there is no music"),
        ("a.csv", "path,licence\nx.mp3,CC0\nx.mp3,CC0\n", "named twice"),
        ("missing", None, "there is no"),
    ],
)
def test_a_list_that_makes_no_sense_is_one_sentence(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_tracks(tmp_path / name)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise(tmp_path / "happy.flac", 6)
    assert spectrograms.main([str(tmp_path), "-o", str(tmp_path), "--licence", "own", "--quiet"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["happy.flac"]


def test_silence_and_clipping_are_heard() -> None:
    wave = 0.2 * np.random.default_rng(0).standard_normal((5 * SAMPLE_RATE, 2)).astype(np.float32)
    late = wave.copy()
    late[: 2 * SAMPLE_RATE] = 0
    assert is_fit(wave) and not is_fit(late) and not is_fit(np.clip(20 * wave, -1, 1))


def test_crops_never_share_a_bar(tmp_path: Path) -> None:
    sound, options = noise(tmp_path / "a.flac", 40), Options(crops=4)
    found = list(crops(sound, options, "a"))
    assert [len(wave) for _, wave in found] == [441 * 511] * 4
    starts = [start for start, _ in found]
    assert starts == [start for start, _ in crops(sound, options, "a")] != [s for s, _ in crops(sound, options, "b")]
    assert not list(crops(noise(tmp_path / "short.flac", 4), options, "a"))


def test_ten_seconds_are_1024_columns(tmp_path: Path) -> None:
    track = Track("a", noise(tmp_path / "a.flac", 11), "own", tags=("x",))
    for name in (".tracks", "train"):
        (tmp_path / name).mkdir()
    made = make(Job(track, "train", tmp_path, Options(columns=spectrograms.SECONDS["10"])))
    with Image.open(tmp_path / "train" / made["rows"][0]["file_name"]) as image:
        assert image.size == (1024, 512)


def test_of_each_emotion_some_tracks_are_held_out_whoever_else_is_there() -> None:
    tracks = [Track(f"{emotion}{n}", Path(), emotion=emotion) for emotion in ("joy", "fear") for n in range(20)]
    held = held_out(tracks)
    assert len(held) == 4 == len({name for name in held if name.startswith("joy")}) * 2
    assert len(held_out([Track("a", Path()), Track("b", Path())])) == 1


def test_a_composed_piece_has_true_labels_and_each_is_another(tmp_path: Path) -> None:
    for name in (".tracks", "train"):
        (tmp_path / name).mkdir()
    assert {track.style for track in composed(9, [], [Style.JAZZ])} == {Style.JAZZ}
    found = composed(15, [])
    assert len({track.emotion for track in found[:7]}) == 7 and len({track.name for track in found}) == 15
    made = make(Job(found[3], "train", tmp_path, Options(crops=1)))
    (row,) = made["rows"]
    assert row["licence"] == "CC0-1.0" and row["emotion"] == "joy"
    assert row["text"].startswith("joy, happy, bright, uplifting, lofi, ") and row["text"].endswith(" bpm")


def test_a_process_that_lost_its_parent_ends() -> None:
    script = (
        "import multiprocessing, sys, time\n"
        "from bgm.training.spectrograms import _begin\n"
        "def run(): _begin(); print(multiprocessing.current_process().pid, flush=True); time.sleep(60)\n"
        "if __name__ == '__main__': multiprocessing.get_context('fork').Process(target=run).start(); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")
