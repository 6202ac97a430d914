"""``.ci/audit`` tells found vulnerabilities, none, and nobody to ask apart; a stand-in for pip-audit plays them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit"
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-0000-1", "fix_versions": ["1.1"], "aliases": []}]}
UNREACHED = (
    "ERROR:pip_audit._cli:HTTPSConnectionPool(host='localhost', port=443): Max retries exceeded with url: /simple "
    "(Caused by NewConnectionError('Connection refused'))"
)


@pytest.fixture
def audit(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the script with a pip-audit that reports ``packages``, says ``errors`` and exits with ``status``."""

    def run(packages: list[object] | None, errors: str = "", status: int = 0) -> tuple[int, str]:
        stand_in = tmp_path / "pip-audit"
        stand_in.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"report = {json.dumps({'dependencies': packages}) if packages is not None else None!r}\n"
            "if report: open(sys.argv[sys.argv.index('-o') + 1], 'w').write(report)\n"
            f"print({errors!r}, file=sys.stderr)\nsys.exit({status})\n"
        )
        stand_in.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, str(AUDIT)]
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout

    return run


Audit = Callable[..., tuple[int, str]]


def test_nothing_found_is_a_pass_that_counts_what_was_looked_up(audit: Audit) -> None:
    assert audit([CLEAN, SKIPPED]) == (0, "pip-audit: 0 vulnerabilities in 1 packages, 1 unknown to the service\n")


def test_a_vulnerability_fails_and_is_named(audit: Audit) -> None:
    status, said = audit([CLEAN, BAD], "Found 1 known vulnerability", 1)
    assert status == 1 and "old 1.0: PYSEC-0000-1 (1.1)" in said


def test_a_service_that_can_not_be_reached_is_said_and_is_no_failure(audit: Audit) -> None:
    status, said = audit(None, UNREACHED, 1)
    assert status == 0 and "NOT CHECKED" in said


def test_a_mirror_without_vulnerabilities_is_not_taken_for_a_clean_bill(audit: Audit) -> None:
    """pip-audit itself exits with 0 and "No known vulnerabilities found" when every package is unknown."""
    status, said = audit([SKIPPED, SKIPPED], "No known vulnerabilities found")
    assert status == 0 and "NOT CHECKED" in said


def test_a_pip_audit_that_breaks_is_a_failure(audit: Audit) -> None:
    status, said = audit(None, "ERROR:pip_audit._cli: invalid requirement", 1)
    assert status == 1 and "failed" in said
