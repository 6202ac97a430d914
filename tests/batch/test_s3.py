"""S3 by fsspec, against moto's server on this machine: same bytes as from a disk, and rights that are missing.

Needs what requirements-cluster-dev.txt installs; nothing leaves the machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgm.batch import run
from bgm.batch.run import REPORT
from bgm.batch.storage import CHECKPOINT
from bgm.batch.units import RECEIPT
from bgm.cli import main
from bgm.progress import unheard
from bgm.settings import Settings

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed (requirements-cluster-dev.txt)")
moto = pytest.importorskip("moto.server", reason="moto is not installed (requirements-cluster-dev.txt)")

RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::ours", "arn:aws:s3:::ours/*"]}],
}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, clips: Path) -> Iterator[Any]:
    """The buckets ``ours``, with both clips in ``in/``, and ``theirs``, which the environment's user may not touch."""
    import boto3
    import httpx

    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _be(monkeypatch, "nobody", "nothing")
    buckets, users = boto3.client("s3"), boto3.client("iam")
    for name in ("ours", "theirs"):
        buckets.create_bucket(Bucket=name)
        for file in clips.iterdir():
            buckets.upload_file(str(file), name, f"in/{file.name}")
    users.create_user(UserName="we")
    users.put_user_policy(UserName="we", PolicyName="ours", PolicyDocument=json.dumps(RIGHTS))
    key = users.create_access_key(UserName="we")["AccessKey"]
    _be(monkeypatch, key["AccessKeyId"], key["SecretAccessKey"])
    httpx.post(f"{address}/moto-api/reset-auth", content=b"0").raise_for_status()  # from here on rights count
    yield s3fs.S3FileSystem(use_listings_cache=False)
    s3fs.S3FileSystem.clear_instance_cache()
    httpx.post(f"{address}/moto-api/reset-auth", content=b"inf").raise_for_status()
    httpx.post(f"{address}/moto-api/reset").raise_for_status()
    server.stop()


def _be(monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def test_a_list_in_a_bucket_gives_the_bytes_of_a_disk_and_what_fails_fails_alone(
    store: Any, clips: Path, tmp_path: Path, settings: Settings
) -> None:
    store.pipe_file("ours/in/list.txt", b"first.mp4\ns3://ours/in/second.mkv\ngone.mp4\ns3://theirs/in/first.mp4\n")
    ended = run.run("s3://ours/in/list.txt", "s3://ours/out", settings, unheard, None)
    assert [outcome.status for outcome in ended] == ["made", "made", "failed", "failed"]
    assert ended[2].why == "there is no file s3://ours/in/gone.mp4"
    assert "s3://theirs/in/first" in ended[3].why and "no right" in ended[3].why
    run.run(str(clips), str(tmp_path / "disk"), settings, unheard, None)
    for name in ("first.mp4", "second.mkv"):
        stored = hashlib.sha256(store.cat_file(f"ours/out/{name}")).digest()
        assert stored == hashlib.sha256((tmp_path / "disk" / name).read_bytes()).digest()
    rows = [json.loads(line) for line in store.cat_file(f"ours/out/{REPORT}").splitlines()]
    assert [row["status"] for row in rows] == ["made", "made", "failed", "failed"]
    kept = [name.removeprefix("ours/out/") for name in store.find("ours/out")]
    projects = [name.split("/", 2)[2] for name in kept if name.startswith("projects/")]
    assert {name for name in kept if "/" not in name} == {"first.mp4", "second.mkv", REPORT}
    assert all(name.startswith((*CHECKPOINT, RECEIPT)) for name in projects), "no part, nothing half-written"
    again = run.run("s3://ours/in", "s3://ours/out", settings, unheard, None)
    assert [outcome.status for outcome in again] == ["already there"] * 2


@pytest.mark.parametrize(
    ("source", "out"), [("s3://ours/in", "s3://theirs/out"), ("s3://theirs/in", "s3://ours/out"),
                        ("s3://ours/in", "s3://nobody-has-this/out"), ("s3://ours/none", "s3://ours/out")],
)  # fmt: skip
def test_a_bucket_without_rights_is_one_sentence_and_nothing_is_begun(
    store: Any, source: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", source, "--out", out, "--offline", "--quiet"]) == 2
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "HTTP/1.1" not in line]
    assert told.startswith("bgm: ") and "s3://" in told
    assert not store.exists("ours/out")
