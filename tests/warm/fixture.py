"""The fixture ``warm``: processes of a test are forks of one that has imported the ML libraries."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warm.server import USER

HERE = Path(__file__).parent
#: what libraries read when they are imported
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
LONGEST = 100  # characters of a socket's address


@pytest.fixture(scope="session")
def warm_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The path of the script that stands for the interpreter; the workers of a test run share a server.

    With the variable PTX_COLD, and on systems that lack what this needs, it is the interpreter itself.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    address = shared / "warm"
    if "PTX_COLD" in os.environ or not hasattr(os, "pidfd_open") or len(str(address)) > LONGEST:
        yield sys.executable
        return
    server = None
    using = socket.socket(socket.AF_UNIX)
    with (shared / "warm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            using.connect(str(address))
        except FileNotFoundError:  # nobody has started it, or its last user has gone
            server = subprocess.Popen(
                [sys.executable, str(HERE / "server.py"), str(address)],
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the tests; the server ends with them
            )
            assert server.stdout
            said = list(
                iter(server.stdout.readline, b"listening\n")
            )  # libraries print when they are imported
            assert server.poll() is None, said
            using.connect(str(address))
        using.sendall(USER)
    script = base / "python"
    client = (HERE / "client.py").read_text()
    client = client.replace("@ADDRESS@", str(address)).replace("@PYTHON@", sys.executable)
    script.write_text(f"#!{sys.executable} -IS\n{client}")
    script.chmod(0o755)
    yield str(script)
    using.shutdown(socket.SHUT_RDWR)  # closing is not seen while a fork of this process has a copy
    using.close()
    if server and (left := server.communicate()[0].decode()):
        warnings.warn(f"left behind by a test, and killed: {left}", stacklevel=1)


@pytest.fixture
def warm(warm_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``sys.executable`` starts in milliseconds, with torch, transformers and TRL imported."""
    monkeypatch.setattr(sys, "executable", warm_python)
    yield
    if symbolic := sys.modules.get("ptx.lm.evaluation.symbolic"):  # it would live as long as the tests
        symbolic.ASKER.stop()
