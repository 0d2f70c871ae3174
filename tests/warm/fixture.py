"""The fixture ``warm``: processes of a test are forks of one that has imported the ML libraries."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST = 100  # characters of a socket's address


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of the script that stands for the interpreter; the workers of a test run share a server.

    The server of a worker that has ended answers no more, and the script is then the interpreter itself. So
    it is with the variable PTX_COLD, and on systems that lack what this needs.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    address = shared / "warm"
    if "PTX_COLD" in os.environ or not hasattr(os, "pidfd_open") or len(str(address)) > LONGEST:
        yield sys.executable
        return
    server = None
    with (shared / "warm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            server = subprocess.Popen(
                [sys.executable, str(HERE / "server.py"), str(address)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert server.stdout
            assert server.stdout.readline() == b"listening\n"
    script = base / "python"
    client = (HERE / "client.py").read_text()
    client = client.replace("@ADDRESS@", str(address)).replace("@PYTHON@", sys.executable)
    script.write_text(f"#!{sys.executable} -IS\n{client}")
    script.chmod(0o755)
    yield str(script)
    if server:
        server.communicate()


@pytest.fixture
def warm(warm_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sys.executable`` starts in milliseconds, with torch, transformers and TRL imported."""
    monkeypatch.setattr(sys, "executable", warm_python)
