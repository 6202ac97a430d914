"""What an operator sees of a server that works: a real process, asked over the loopback. The last test ends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from imageio_ffmpeg import get_ffmpeg_exe
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from bgm import __version__
from bgm.environment import Environment
from bgm.progress import Listener
from bgm.ui import serving
from bgm.ui.jobs import Job, Jobs
from bgm.ui.serving import Metrics

ROOT = Path(__file__).resolve().parents[2]
USER = ("ann-of-the-tests", "a long password")
LINES = "1\n00:00:00,500 --> 00:00:03,000\nWhat a wonderful day, I love it!\n"
ENGINES = {"separator": "original", "classifier": "minilm", "music": "embedded"}


@dataclass
class Server:
    """``python app.py`` and what it was told to use."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    errors: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status and text, for a machine that has not logged in."""
        try:
            with build_opener(ProxyHandler({})).open(self.url + path, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()

    def health(self) -> tuple[int, dict[str, Any]]:
        status, text = self.get("/healthz")
        return status, json.loads(text)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_text().splitlines()]

    def metrics(self) -> dict[tuple[str, ...], float]:
        return samples(self.get("/metrics")[1])


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The value of each sample, by its name and the values of its labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {f"BGM_{name.upper()}": engine for name, engine in ENGINES.items()}
    ours |= {"BGM_DATA": str(folder / "data"), "BGM_AUTH": ":".join(USER), "BGM_OFFLINE": "1"}
    ours |= {"BGM_LOG_FORMAT": "json", "BGM_METRICS": "1", "BGM_WARM_UP": "0"}
    ours |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    with (folder / "errors").open("wb") as errors, (folder / "out").open("wb") as out:
        variables = {**os.environ, **ours}
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=variables, stdout=out, stderr=errors)
    running = Server(process, f"http://127.0.0.1:{port}", folder / "data", folder / "errors")
    try:
        wait_until(lambda: answers(running), 180)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.url, auth=USER, verbose=False, download_files=tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the sample, with a line of subtitles beside it."""
    out = tmp_path_factory.mktemp("clip") / "secret plan.mp4"
    cut = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-i", str(sample), "-t", "4", "-c", "copy", str(out)]
    subprocess.run(cut, check=True)
    out.with_suffix(".srt").write_text(LINES)
    return out


@pytest.fixture(scope="module")
def project(client: Client, clip: Path) -> str:
    """The id of a project that was analyzed, scored and rendered."""
    subtitles = handle_file(clip.with_suffix(".srt"))
    done = client.predict(video=handle_file(clip), subtitles=subtitles, settings=None, api_name="/analyze")
    client.predict(project=done["project"], segments=None, another=False, api_name="/compose")
    client.predict(project=done["project"], api_name="/render")
    return str(done["project"])


@pytest.fixture
def jobs() -> Jobs:
    """With one worker for each queue."""
    return Jobs(1, 5)


@pytest.fixture
def silent_job(jobs: Jobs) -> Iterator[Job]:
    """One that is at work and says nothing."""
    release, begun = threading.Event(), threading.Event()

    def work(listen: Listener) -> None:
        begun.set()
        release.wait(120)

    job = jobs.submit("p", "render", "studio", work)
    assert begun.wait(60)
    yield job
    release.set()
    assert job.finished.wait(60)


def health_of(jobs: Jobs, folder: Path) -> tuple[int, str]:
    answer = serving.health(jobs, folder).endpoint(Request({"type": "http"}))
    return answer.status_code, json.loads(answer.body)["status"]


def test_health_fails_when_the_disk_is_full(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health_of(jobs, tmp_path / "new") == (200, "ok")
    monkeypatch.setattr(serving, "FREE_BYTES", shutil.disk_usage(tmp_path).total + 1)
    assert health_of(jobs, tmp_path) == (503, "full")


def test_health_fails_when_all_workers_hang(
    jobs: Jobs, silent_job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health_of(jobs, tmp_path) == (200, "ok")
    monkeypatch.setattr("bgm.ui.jobs.STUCK_SECONDS", 0.0)
    assert health_of(jobs, tmp_path) == (503, "stuck")


def test_health_fails_while_the_server_ends(jobs: Jobs, tmp_path: Path) -> None:
    jobs.close()
    assert health_of(jobs, tmp_path) == (503, "ending")


def test_two_pages_in_one_process_count_for_themselves(jobs: Jobs, tmp_path: Path) -> None:
    pages = [jobs, Jobs(1, 5)]
    metrics = [Metrics(of, tmp_path) for of in pages]
    for of, observer in zip(pages, metrics, strict=True):
        of.attach(observer)
    assert over(jobs.submit("p", "render", "studio", lambda listen: None)).state == "done"
    answers = [one.route().endpoint(Request({"type": "http"})) for one in metrics]
    mine, theirs = (samples(answer.body.decode()) for answer in answers)
    assert (mine["bgm_jobs_ended_total", "render", "done"], theirs["bgm_jobs_ended_total", "render", "done"]) == (1, 0)


def test_metrics_show_who_works(jobs: Jobs, silent_job: Job, tmp_path: Path) -> None:
    waiting = jobs.submit("q", "preview", "studio", lambda listen: None)
    now = samples(Metrics(jobs, tmp_path).route().endpoint(Request({"type": "http"})).body.decode())
    assert (now["bgm_jobs_running", "studio"], now["bgm_jobs_waiting", "studio"]) == (1, 1)
    assert (now["bgm_jobs_running", "music"], now["bgm_jobs_waiting", "music"]) == (0, 0)
    jobs.stop("q")
    assert over(waiting).state == "stopped"


def test_metrics_are_not_served_unless_asked_for(tmp_path: Path) -> None:
    from bgm.ui.page import build

    assert [route.path for route in build(Environment(data=tmp_path)).operating] == ["/healthz"]
    assert [route.path for route in build(Environment(data=tmp_path, metrics=True)).operating] == [
        "/healthz",
        "/metrics",
    ]


def over(job: Job) -> Job:
    assert job.finished.wait(60)
    return job


def answers(server: Server) -> bool:
    assert server.process.poll() is None, server.errors.read_text()
    try:
        return server.health()[0] == 200
    except URLError:
        return False


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_health_needs_no_password_and_names_the_version(server: Server) -> None:
    assert server.get("/config")[0] == 401, "the page itself is closed"
    ok = {"status": "ok", "version": __version__, "jobs": {"running": 0, "waiting": 0}}
    assert server.health() == (200, ok)


def test_each_job_is_logged_from_its_queue_to_its_end(server: Server, project: str) -> None:
    jobs = [line for line in server.log() if line["message"].startswith("job ")]
    assert [line["kind"] for line in jobs if line["message"] == "job ended"] == ["analyze", "compose", "render"]
    analyze = [line for line in jobs if line["kind"] == "analyze"]
    assert [line["message"] for line in analyze] == ["job queued", "job started", "job ended"]
    assert len({line["job"] for line in analyze}) == 1 and len({line["job"] for line in jobs}) == 3
    assert len({line["project"] for line in jobs}) == 1
    end = analyze[-1]
    assert (end["outcome"], end["queue"]) == ("done", "studio")
    engines = {key: name for key, name in end.items() if key.startswith("engine_")}
    assert engines == {"engine_separate": "original", "engine_transcribe": "subtitles", "engine_classify": "minilm"}
    assert 4 <= end["media_s"] < 6
    stages = {key: seconds for key, seconds in end.items() if key.startswith("stage_")}
    assert {"stage_decode_s", "stage_separate_s", "stage_classify_s"} <= set(stages)
    assert end["seconds"] - 0.5 < sum(stages.values()) <= end["seconds"] + 0.01


def test_what_a_stage_says_carries_its_job(server: Server, project: str) -> None:
    log = server.log()
    (spoken,) = [line for line in log if line["message"].startswith("transcribe: subtitles")]
    (ended,) = [line for line in log if line["message"] == "job ended" and line["kind"] == "analyze"]
    assert spoken["job"] == ended["job"]


def test_the_log_gives_nobody_away(server: Server, project: str) -> None:
    written = server.errors.read_text()
    for secret in (project, "secret plan", "wonderful", USER[0], USER[1]):
        assert secret not in written


def test_metrics_count_what_happened(server: Server, project: str) -> None:
    metrics = server.metrics()
    assert metrics["bgm_jobs_queued_total", "analyze"] == metrics["bgm_jobs_ended_total", "analyze", "done"] == 1
    assert metrics["bgm_jobs_ended_total", "read_emotions", "failed"] == 0
    assert metrics["bgm_stage_seconds_count", "music"] == 1 and metrics["bgm_stage_seconds_sum", "music"] > 0
    assert metrics["bgm_job_wait_seconds_count", "studio"] == 2
    assert metrics["bgm_jobs_running", "studio"] == metrics["bgm_jobs_waiting", "music"] == 0
    assert metrics["bgm_projects",] == 1
    assert metrics["process_resident_memory_bytes",] > 1e7


def test_metrics_say_nothing_of_users(server: Server, project: str) -> None:
    text = server.get("/metrics")[1]
    assert project not in text and "secret" not in text
    assert len(text.splitlines()) < 400, "the number of series does not grow with users"


def test_a_failure_is_found_under_what_the_user_was_told(server: Server, client: Client, project: str) -> None:
    stems = server.data / "projects" / project / "stems"
    stems.rename(stems.with_name("kept"))
    stems.touch()
    try:
        with pytest.raises(AppError) as told:
            client.predict(project=project, api_name="/render")
    finally:
        stems.unlink()
        stems.with_name("kept").rename(stems)
    reference = re.search(r"under (\w+)$", str(told.value))
    assert reference is not None
    (end,) = [line for line in server.log() if line.get("job") == reference[1] and line["message"] == "job ended"]
    assert (end["level"], end["outcome"], end["error"]) == ("error", "failed", "FileExistsError")
    assert "FileExistsError" in end["exception"] and project not in end["exception"]


def test_health_fails_while_the_data_folder_is_gone(server: Server, project: str) -> None:
    aside = server.data.rename(server.data.with_name("aside"))
    server.data.touch()
    try:
        status, answer = server.health()
    finally:
        server.data.unlink()
        aside.rename(server.data)
    assert (status, answer["status"]) == (503, "unwritable")
    assert server.health()[0] == 200


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are listed as Linux does")
def test_it_ends_when_asked_with_a_job_at_work(server: Server, client: Client, sample: Path, tmp_path: Path) -> None:
    video = tmp_path / "long.mp4"  # without its subtitles: the speech is recognised
    video.write_bytes(sample.read_bytes())
    client.submit(video=handle_file(video), subtitles=None, settings=None, api_name="/analyze")
    wait_until(lambda: server.health()[1]["jobs"]["running"] == 1, 60)
    working = children(server.process.pid)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in working), 60)
    assert "Traceback" not in server.errors.read_text().split('"ending"')[1]
    last = server.log()[-2:]
    assert (last[0]["outcome"], last[1]["message"]) == ("stopped", "ended")
    assert list(server.data.rglob(".bgm-part-*")) == []
