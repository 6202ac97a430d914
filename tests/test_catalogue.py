"""The real catalogue: every engine can be listed without heavy imports, and answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_engine_answers_offline_and_the_embedded_ones_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bgm", "engines", "--offline", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = {(e["stage"], e["name"]): e for e in json.loads(done.stdout)["engines"]}
    for stage, name in (("transcribe", "faster-whisper"), ("classify", "minilm"), ("separate", "spleeter")):
        assert found[stage, name]["available"], found[stage, name]
    assert found["music", "embedded"]["available"]
    assert all(e["available"] or e["reason"] for e in found.values())
