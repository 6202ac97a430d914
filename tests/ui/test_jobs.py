from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgm.errors import BadInput
from bgm.log import job_id
from bgm.progress import Listener, Step
from bgm.ui.jobs import Job, Jobs


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def waiting_work(gate: threading.Event) -> object:
    def work(listen: Listener) -> str:
        while not gate.wait(0.01):
            listen(Step("music", 0.5, 0.5, 1.0, "segment 1 of 2"))
        return "done"

    return work


def over(job: Job) -> Job:
    assert job.finished.wait(60)
    return job


def test_a_job_runs_and_is_followed_to_its_end(gate: threading.Event) -> None:
    jobs = Jobs(workers=1, max_waiting=5)
    job = jobs.submit("p", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]

    async def follow() -> list[tuple[str, str | None]]:
        seen = []
        async for now in jobs.follow(job):
            seen.append((now.state, now.step.note if now.step else None))
            if now.step:
                gate.set()
        return seen

    with ThreadPoolExecutor(1) as elsewhere:  # this thread may have the browser tests' event loop
        seen = elsewhere.submit(asyncio.run, follow()).result(10)
    assert ("running", "segment 1 of 2") in seen
    assert seen[-1][0] == "done" and job.error is None


def test_a_running_job_stops_at_its_next_word(gate: threading.Event) -> None:
    jobs = Jobs(1, 5)
    job = jobs.submit("p", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
    jobs.stop("p")
    assert over(job).state == "stopped"
    assert not jobs.is_busy("p")


def test_music_waits_in_line_and_a_waiting_job_can_leave_it(gate: threading.Event) -> None:
    jobs = Jobs(2, 5)
    first, second, third = (
        jobs.submit(name, "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
        for name in "abc"
    )
    assert (jobs.position(second), jobs.position(third)) == (1, 2)
    jobs.stop("b")
    assert over(second).state == "stopped"
    assert jobs.position(third) == 1
    elsewhere = jobs.submit("d", "render", "studio", lambda listen: "rendered")
    assert over(elsewhere).state == "done", "the other queue does not wait for music"
    gate.set()
    assert (over(first).state, over(third).state) == ("done", "done")


def test_one_job_per_project_and_not_too_many(gate: threading.Event) -> None:
    jobs = Jobs(1, 1)
    jobs.submit("a", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="running for this video already"):
        jobs.submit("a", "render", "studio", lambda listen: None)
    for _ in range(100):
        if jobs.of("a").state == "running":  # type: ignore[union-attr]
            break
        gate.wait(0.01)
    jobs.submit("b", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="too many videos are waiting"):
        jobs.submit("c", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]


def test_failures_are_told_without_their_inside(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(listen: Listener) -> None:
        raise BadInput("this video has no picture")

    def break_down(listen: Listener) -> None:
        raise ZeroDivisionError("secret/path")

    jobs = Jobs(1, 5)
    assert over(jobs.submit("a", "render", "studio", refuse)).error == "this video has no picture"
    broken = over(jobs.submit("b", "render", "studio", break_down))
    assert broken.state == "failed" and broken.error is not None
    assert "secret" not in broken.error and "log" in broken.error
    assert "ZeroDivisionError" in caplog.text


def test_a_failure_leads_to_its_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def break_down(listen: Listener) -> None:
        raise ZeroDivisionError

    job = over(Jobs(1, 5).submit("p" * 32, "render", "studio", break_down))
    (line,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert job.error is not None and job.error.endswith(job.id)
    assert line.fields["job"] == job.id and line.fields["at"].startswith("test_jobs.py:")  # type: ignore[attr-defined]
    assert "p" * 32 not in str(line.fields)  # type: ignore[attr-defined]


def test_a_library_that_exits_ends_its_job_only() -> None:
    def leave(listen: Listener) -> None:
        raise SystemExit(3)

    jobs = Jobs(1, 5)
    assert over(jobs.submit("a", "render", "studio", leave)).state == "failed"
    assert over(jobs.submit("a", "render", "studio", lambda listen: None)).state == "done"


def test_what_is_logged_in_a_job_carries_it_and_nothing_else_does() -> None:
    heard: list[str | None] = []
    jobs = Jobs(1, 5)
    job = over(jobs.submit("a", "render", "studio", lambda listen: heard.append(job_id.get())))
    assert heard == [job.id] and job_id.get() is None


def test_stages_take_their_time_with_what_led_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100, 10))
    job = Job("p", "analyze", "studio", lambda job: None)
    monkeypatch.setattr("bgm.ui.jobs.time.monotonic", lambda: float(next(clock)))
    job.begin()  # at 0
    for stage, fraction in (("decode", 0.0), ("decode", 1.0), ("separate", 0.0), ("decode", 1.0)):
        job.listen(Step(stage, fraction, 0.5, None))
    assert job.seconds == {"decode": 30.0, "separate": 10.0}


def test_finished_jobs_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> None:
    monkeypatch.setattr("bgm.ui.jobs.REMEMBERED", 3)
    jobs = Jobs(1, 5)
    jobs.submit("busy", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
    for number in range(10):
        over(jobs.submit(str(number), "render", "studio", lambda listen: None))
    assert [name for name in map(str, range(10)) if jobs.of(name)] == ["6", "7", "8", "9"]
    assert jobs.is_busy("busy")


@pytest.mark.parametrize("stopped", [False, True])
def test_what_a_job_worked_with_is_let_go(gate: threading.Event, stopped: bool) -> None:
    class Upload:
        """Something large."""

    upload = Upload()
    gone = weakref.ref(upload)
    jobs = Jobs(1, 5)
    before = jobs.submit("before", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
    jobs.submit("p", "compose", "music", lambda listen, upload=upload: upload)  # type: ignore[misc]
    del upload
    if stopped:
        jobs.stop("p")  # while it waits: its place in the queue is kept until its turn
    else:
        gate.set()
        over(before)
    over(jobs.of("p"))  # type: ignore[arg-type]
    for _ in range(1500):
        gc.collect()
        if gone() is None:
            break
        time.sleep(0.02)
    assert gone() is None and jobs.of("p") is not None


def test_forgetting_never_meets_a_job_that_just_came(gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(1, 5)
    over(jobs.submit("p", "render", "studio", lambda listen: None))
    asked, real = threading.Event(), jobs.is_busy

    def slow(project_id: str) -> bool:
        answer = real(project_id)
        if not asked.is_set():
            asked.set()
            time.sleep(0.3)
        return answer

    monkeypatch.setattr(jobs, "is_busy", slow)
    with ThreadPoolExecutor(1) as elsewhere:
        forgotten = elsewhere.submit(jobs.forget, "p")
        assert asked.wait(60)
        job = jobs.submit("p", "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
        forgotten.result(60)
    assert jobs.of("p") is job, "else the project could be given a second job beside this one"


def test_closing_stops_all_and_takes_no_more(gate: threading.Event) -> None:
    jobs = Jobs(1, 5)
    running, waiting = (
        jobs.submit(name, "compose", "music", waiting_work(gate))  # type: ignore[arg-type]
        for name in "ab"
    )
    jobs.close()
    assert jobs.wait(60)
    assert (running.state, waiting.state) == ("stopped", "stopped")
    with pytest.raises(BadInput, match="being restarted"):
        jobs.submit("c", "render", "studio", lambda listen: None)
