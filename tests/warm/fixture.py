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
#: what libraries read when they are imported
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
LONGEST = 100  # characters of a socket's address


@pytest.fixture(scope="session")
def warm_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of the script that stands for the interpreter; the workers of a test run share a server.

    The server of a worker that has ended answers no more, and the script is then the interpreter itself. So
    it is with the variable PTX_COLD, and on systems that lack what this needs.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
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
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert server.stdout
            said = list(
                iter(server.stdout.readline, b"listening\n")
            )  # libraries print when they are imported
            assert server.poll() is None, said
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
