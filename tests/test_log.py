from __future__ import annotations

import json
import logging
import shlex
import warnings
from collections.abc import Iterator

import pytest

from bgm import log

OURS, LIBRARY = logging.getLogger("bgm"), logging.getLogger("some.library")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, levels = root.handlers[:], (root.level, OURS.level)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    OURS.setLevel(levels[1])


@pytest.fixture
def job() -> Iterator[str]:
    token = log.job_id.set("5eedf00d")
    yield "5eedf00d"
    log.job_id.reset(token)


def logfmt(line: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(line))


def test_a_line_of_text_is_pairs(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    OURS.info('music: "embedded"', extra=log.fields(stage_music_s=1.23, engine="", left_out=None))
    (line,) = capsys.readouterr().err.splitlines()
    pairs = logfmt(line)
    assert pairs.pop("time").endswith("+00:00")
    assert pairs == {
        "level": "info",
        "logger": "bgm",
        "message": 'music: "embedded"',
        "job": job,
        "stage_music_s": "1.23",
        "engine": "",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_can_forge_a_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", form)
    OURS.warning("one\ntime=0 level=info message=forged\u2028\x1b[2J")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1 and "\x1b" not in written


def test_json_is_an_object_a_line_with_the_traceback_in_it(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    try:
        raise ZeroDivisionError("no beats")
    except ZeroDivisionError:
        OURS.exception("failed")
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["job"]) == ("error", job)
    assert "ZeroDivisionError: no beats" in line["exception"] and "test_log.py" in line["exception"]


def test_what_lies_in_a_project_stays_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    secret = "tgoAciXn8TYZfPnwjMjqB0w1-z4_jDMT"
    path = f"/data/projects/{secret}/source/my holiday.mp4"
    try:
        raise FileNotFoundError(2, "No such file", path)
    except FileNotFoundError as error:
        OURS.error("%s", error, exc_info=True)
    written = capsys.readouterr().err
    assert secret not in written and "holiday" not in written
    assert "/data/projects/" in written and "FileNotFoundError" in written


def test_libraries_are_heard_when_they_warn_and_not_before(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", "json")
    OURS.debug("ours")
    LIBRARY.info("a request to an address")
    LIBRARY.warning("deprecated")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a division by zero", RuntimeWarning, stacklevel=1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["logger"] for line in lines] == ["bgm", "some.library", "py.warnings"]
    assert all(line["job"] == job for line in lines)


def test_the_level_holds_for_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("error", "text")
    OURS.warning("ours")
    LIBRARY.warning("theirs")
    assert capsys.readouterr().err == ""
