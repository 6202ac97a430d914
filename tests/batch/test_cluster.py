"""A cluster: what is refused before anything starts, and, where Ray is installed, the same results as the plain loop.

What dies in the middle is killed by ``python -m tests.faults.cluster``, which takes minutes.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bgm.batch import cluster, run
from bgm.batch.cluster import Cluster
from bgm.batch.run import REPORT
from bgm.cli import main
from bgm.errors import BadInput
from bgm.progress import unheard
from bgm.settings import Settings
from tests.shell import ROOT

WORDS = ["--separator", "original", "--music", "embedded", "--offline", "--device", "cpu", "--min-segment", "2"]


@pytest.fixture
def as_if_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "why_no_ray", lambda: None)


@pytest.mark.usefixtures("as_if_ray")
@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_head_that_does_not_answer_is_one_sentence(
    clips: Path, tmp_path: Path, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{closed.getsockname()[1]}"
    report = tmp_path / "out" / REPORT
    report.parent.mkdir()
    report.write_text("an earlier run's\n", "utf-8")
    words = ["batch", str(clips), "--out", str(report.parent), "--cluster", address, "--quiet", *WORDS]
    assert main(words) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [f"bgm: no Ray cluster answers at {address} (Connection refused)"]
    assert report.read_text("utf-8") == "an earlier run's\n"


@pytest.mark.usefixtures("as_if_ray")
def test_auto_does_not_wait_for_a_head_that_died(
    clips: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray notes the last head of a machine, and for one that is gone it retries without end."""
    services = pytest.importorskip("ray._private.services", reason="Ray is not installed (requirements-cluster.txt)")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        noted = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(services, "get_ray_address_from_environment", lambda *_: noted)
    with pytest.raises(BadInput, match=f"no Ray cluster answers at {noted}"):
        run.run(str(clips), str(tmp_path / "out"), settings, unheard, Cluster("auto"))


@pytest.mark.usefixtures("as_if_ray")
@pytest.mark.parametrize("scheme", ["", "ray://", "auto"])
def test_what_listens_and_is_no_head_is_one_sentence(
    clips: Path, tmp_path: Path, settings: Settings, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("grpc", reason="gRPC is not installed (it comes with requirements-cluster.txt)")
    monkeypatch.setattr(cluster, "SPEAK_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", there)
        asked = scheme if scheme == "auto" else f"{scheme}{there}"
        with pytest.raises(BadInput, match=rf"no Ray cluster answers at \S*{there} \(something else listens"):
            run.run(str(clips), str(tmp_path / "out"), settings, unheard, Cluster(asked))


@pytest.mark.usefixtures("as_if_ray")
@pytest.mark.parametrize("address", ["locall", "host", "ray://host", "host:port"])
def test_an_address_that_is_none_is_one_sentence(clips: Path, tmp_path: Path, settings: Settings, address: str) -> None:
    with pytest.raises(BadInput, match=r"write local, auto, HOST:PORT or ray://HOST:10001"):
        run.run(str(clips), str(tmp_path / "out"), settings, unheard, Cluster(address))


@pytest.mark.parametrize("claim", [{"cpus": 0.0}, {"gib": -1.0}, {"cpus": float("nan")}])
def test_a_claim_of_nothing_is_refused(claim: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="--cpus"):
        Cluster("local", **claim)


def test_without_ray_a_cluster_is_refused_and_local_is_the_plain_loop(
    clips: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cluster, run):
        monkeypatch.setattr(module, "why_no_ray", lambda: "a cluster needs Ray")
    with pytest.raises(BadInput, match="needs Ray"):
        run.run(str(clips), str(tmp_path / "out"), settings, unheard, Cluster("auto"))
    here = run.run(str(clips / "first.mp4"), str(tmp_path / "out"), settings, unheard, Cluster("local"))
    assert [outcome.status for outcome in here] == ["made"]


@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_the_plain_loop(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")
    given: dict[str, dict[str, str]] = {}
    for name, more in (("loop", []), ("ray", ["--cluster", "local", "--gib", "0.5"])):
        out = tmp_path / name
        words = [sys.executable, "-W", "ignore", "-m", "bgm", "batch", str(clips), "--out", str(out), *WORDS, *more]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "OPENBLAS_", "MKL_"))}
        subprocess.run(words, cwd=ROOT, env=clean, check=True, timeout=300, capture_output=True)
        given[name] = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in out.glob("*.m*")}
    assert given["ray"] == given["loop"] and len(given["loop"]) == 2
