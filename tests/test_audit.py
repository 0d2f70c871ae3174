"""The audit of the pinned libraries is a report: whatever happens, it says so and ends with 0."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOUND = "Found 1 known vulnerability in 1 package\nName Version ID Fix\nlib 1.0 GHSA-xxxx 1.1"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (None, "pip-audit: not installed, so nothing was asked"),
        ("exit 0", "pip-audit: no known vulnerability"),
        (f"echo '{FOUND}'; exit 1", "pip-audit: known vulnerabilities (a report, no failure):"),
        (
            "echo 'Traceback'; echo 'ConnectionError: no network' >&2; exit 1",
            "could not ask: ConnectionError: no",
        ),
        ("exec sleep 30", "pip-audit: no answer in time, so nothing is known"),
    ],
    ids=["not-installed", "nothing", "found", "no-network", "hangs"],
)
def test_the_audit_never_fails_a_build(tmp_path, program, said):
    if program is not None:
        stand_in = tmp_path / "pip-audit"
        stand_in.write_text(f"#!/bin/sh\n{program}\n")
        stand_in.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "SECONDS_FOR_AUDIT": "1"}
    done = subprocess.run([ROOT / ".ci" / "audit"], capture_output=True, text=True, env=environ)
    assert done.returncode == 0
    assert said in done.stdout
    assert ("GHSA-xxxx" in done.stdout) == (program is not None and "GHSA" in program)


def test_the_build_asks_before_the_tests():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines[-2:]] == ["make audit", "make test"]
