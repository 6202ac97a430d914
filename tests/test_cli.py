"""The shell's options follow from the cards of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgm import cli
from bgm import project as projects
from bgm.cli import parser
from bgm.settings import SETTINGS, Settings


def changed(settings: Settings, *words: str) -> Settings:
    return cli._changed(settings, parser().parse_args(["make", "a.mp4", "-o", "b.mp4", *words]))


def test_every_setting_has_an_option() -> None:
    helped = parser()._subparsers._group_actions[0].choices["make"].format_help()  # type: ignore
    assert [s.flag for s in SETTINGS.values() if f"--{s.flag}" not in helped] == []


def test_what_is_not_given_is_left_as_it_is() -> None:
    there = Settings(takes=3, cuts=True, lufs=None)
    assert changed(there) == there


@pytest.mark.parametrize("name", [s.name for s in SETTINGS.values() if s.is_switch])
def test_a_switch_is_turned_both_ways(name: str) -> None:
    flag = SETTINGS[name].flag
    assert getattr(changed(Settings(), f"--{flag}"), name) is True
    assert getattr(changed(Settings(), f"--no-{flag}"), name) is False


def test_names_stand_for_numbers() -> None:
    assert changed(Settings(), "--lufs", "apple").lufs == -16
    assert changed(Settings(), "--lufs", "none").lufs is None
    assert changed(Settings(min_segment=3.0), "--min-segment", "auto").min_segment == "auto"


def test_options_of_an_earlier_run_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "p"
    projects.create(folder, tmp_path / "a.mp4", 3.0, Settings(takes=3, style="jazz"))
    arguments = parser().parse_args(["make", "a.mp4", "-o", "b.mp4", "--style", "lofi"])
    with caplog.at_level("INFO", logger="bgm"):
        settings = cli._settings(arguments, folder)
    assert (settings.takes, settings.style) == (3, "lofi")
    assert "as an earlier run set it: takes 3" in caplog.text and "style" not in caplog.text
