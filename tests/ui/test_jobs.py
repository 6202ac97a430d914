from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgm.errors import BadInput
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
    assert job.finished.wait(5)
    return job


def test_a_job_runs_and_is_followed_to_its_end(gate: threading.Event) -> None:
    jobs = Jobs(workers=1, max_waiting=5)
    job = jobs.submit("p", "generate", "music", waiting_work(gate))  # type: ignore[arg-type]

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
    assert seen[-1][0] == "done" and job.result == "done"


def test_a_running_job_stops_at_its_next_word(gate: threading.Event) -> None:
    jobs = Jobs(1, 5)
    job = jobs.submit("p", "generate", "music", waiting_work(gate))  # type: ignore[arg-type]
    jobs.stop("p")
    assert over(job).state == "stopped"
    assert not jobs.is_busy("p")


def test_music_waits_in_line_and_a_waiting_job_can_leave_it(gate: threading.Event) -> None:
    jobs = Jobs(2, 5)
    first, second, third = (
        jobs.submit(name, "generate", "music", waiting_work(gate))  # type: ignore[arg-type]
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
    jobs.submit("a", "generate", "music", waiting_work(gate))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="running for this video already"):
        jobs.submit("a", "render", "studio", lambda listen: None)
    for _ in range(100):
        if jobs.of("a").state == "running":  # type: ignore[union-attr]
            break
        gate.wait(0.01)
    jobs.submit("b", "generate", "music", waiting_work(gate))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="too many videos are waiting"):
        jobs.submit("c", "generate", "music", waiting_work(gate))  # type: ignore[arg-type]


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
