"""Every query of the Grafana dashboard and every alert, answered by Prometheus from a page and a painter at work.

    python -m tests.monitoring                 # needs prometheus on the PATH (apt-get install prometheus)

``python app.py`` and ``python -m bgm.painter`` (tiny random weights) on loopback, Prometheus with deploy/monitoring's
configuration but for the addresses and the interval; a video goes the whole way. Then each query of the dashboard must
give a number, each selector of an alert a series, and no rule an error. A minute or two.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from gradio_client import Client, handle_file

from testing.riffusion_checkpoint import write_checkpoint
from tests.faults.clips import LINES, clip
from tests.faults.painter import painter
from tests.faults.server import ROOT, free_port, server

MONITORING = ROOT / "deploy" / "monitoring"
INTERVAL_S, PATIENCE_S = 1, 120.0
WINDOW = "5m"
"""What Grafana puts in the place of $__rate_interval."""
SELECTOR = re.compile(r"\b(?:bgm|process)_\w+(?:\{[^}]*\})?|\bup\{[^}]*\}")


def configuration(scraped: dict[str, int]) -> dict[str, Any]:
    """deploy/monitoring/prometheus.yml for jobs on these ports."""
    found: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text("utf-8"))
    found["global"] = dict.fromkeys(found["global"], f"{INTERVAL_S}s")
    found["rule_files"] = [str(MONITORING / name) for name in found["rule_files"]]
    found["scrape_configs"] = [job for job in found["scrape_configs"] if job["job_name"] in scraped]
    for job in found["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{scraped[job['job_name']]}"]}]
    return found


@contextmanager
def prometheus(folder: Path, scraped: dict[str, int]) -> Iterator[httpx.Client]:
    """Its API, as soon as it has reached all of ``scraped``."""
    program, port = shutil.which("prometheus"), free_port()
    assert program
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(scraped)), "utf-8")
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series"]
    quiet = [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    running = subprocess.Popen([program, *options, *quiet], stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/", timeout=30) as api:
            until = time.monotonic() + PATIENCE_S
            while numbers(api, "sum(up)") != [float(len(scraped))]:
                if time.monotonic() > until:
                    raise AssertionError("prometheus does not reach the page and the painter")
                time.sleep(0.5)
            yield api
    finally:
        running.terminate()
        running.wait(60)


def numbers(api: httpx.Client, query: str) -> list[float]:
    """The value of each series that the query gives; none while Prometheus starts. Raises AssertionError."""
    try:
        answer = api.get("query", params={"query": query.replace("$__rate_interval", WINDOW)}).json()
    except (httpx.TransportError, ValueError):
        return []
    if answer["status"] != "success":
        raise AssertionError(f"{query}: {answer['error']}")
    return [float(series["value"][1]) for series in answer["data"]["result"]]


def use(page: str, folder: Path) -> None:
    """One video goes the whole way."""
    client = Client(page, verbose=False, download_files=folder, httpx_kwargs={"timeout": PATIENCE_S})
    video = clip(folder / "talk.mp4", 6.0, LINES[:2])
    files = {"video": handle_file(video), "subtitles": handle_file(video.with_suffix(".srt"))}
    settings = {"min_segment": 2.0}
    project = client.predict(**files, settings=settings, api_name="/analyze")["project"]
    client.predict(project=project, segments=None, another=False, api_name="/compose")
    client.predict(project=project, api_name="/render")
    client.close()


def unanswered(api: httpx.Client) -> list[str]:
    """What gives nothing."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
    troubles = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            found = numbers(api, target["expr"])
            print(f"{panel['title']}: {target['expr']}: {len(found)} series", flush=True)
            if not any(math.isfinite(number) for number in found):
                troubles.append(f"{panel['title']}: {target['expr']} gives {found or 'nothing'}")
    groups = api.get("rules").json()["data"]["groups"]
    for rule in [rule for group in groups for rule in group["rules"]]:
        print(f"{rule['name']}: {rule['health']}", flush=True)
        troubles += [] if rule["health"] == "ok" else [f"{rule['name']}: {rule['health']}: {rule.get('lastError', '')}"]
        troubles += [f"{rule['name']}: no {one}" for one in SELECTOR.findall(rule["query"]) if not numbers(api, one)]
    return troubles


def main() -> int:
    if not shutil.which("prometheus"):
        print("prometheus is not installed (apt-get install prometheus): nothing was tried")
        return 1
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bgm-monitoring-") as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        weights = write_checkpoint(folder / "weights")
        variables = {"BGM_METRICS": "1", "BGM_PAINTER": f"http://127.0.0.1:{port}", "BGM_MUSIC": "riffusion"}
        with (
            painter(weights, port),
            server(folder / "data", BGM_LORA="none", **variables) as page,
            prometheus(folder, {"bgm-page": int(urlsplit(page.url).port or 0), "bgm-painter": port}) as api,
        ):
            use(page.url, folder)
            time.sleep(4 * INTERVAL_S)  # what has ended is scraped, and every rule evaluated
            troubles = unanswered(api)
    print("; ".join(troubles) or "every query is answered")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
