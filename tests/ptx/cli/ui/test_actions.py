"""The two buttons, on real processes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

from ptx.cli.ui.actions import ActionError, Again, command_of, interrupt, place_of
from ptx.cli.ui.watch import Watch
from ptx.files import read_json, write_json
from ptx.store.locks import held, pid_of
from tests.ptx.cli.ui.conftest import begin

#: a process that holds a sweep's lock as a command of ptx does, until it is interrupted
HOLDER = """
import signal, sys, time
from pathlib import Path
from ptx.store.locks import held
{}
def stop(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
with held(Path(sys.argv[1])):
    try:
        print("held", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.fixture
def sweep(root):
    return root / "runs" / "first"


@pytest.mark.parametrize("first", ["", "signal.signal(signal.SIGINT, signal.SIG_IGN)"])
def test_the_process_that_executes_a_sweep_is_interrupted_also_in_the_background_of_a_shell(sweep, first):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(first), sweep / "sweep.lock"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    assert str(process.pid) in interrupt(sweep)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert pid_of(sweep / "sweep.lock") is None


def test_nobody_is_interrupted_where_nobody_runs_or_another_machine_does(sweep):
    with pytest.raises(ActionError, match="no process on this machine"):
        interrupt(sweep)
    with held(sweep / "sweep.lock"):
        owner = json.loads((sweep / "sweep.lock" / "owner").read_text())
        (sweep / "sweep.lock" / "owner").write_text(json.dumps(owner | {"place": "elsewhere"}))
        with pytest.raises(ActionError, match="no process on this machine"):
            interrupt(sweep)
        (sweep / "sweep.lock" / "owner").write_text(json.dumps(owner))


def with_command(sweep, command):
    write_json(sweep / "sweep.json", read_json(sweep / "sweep.json") | {"command": command})
    watch = Watch(sweep)
    watch.look()
    return watch


def test_a_sweep_is_run_again_with_its_failed_runs_and_a_single_run_by_its_command_alone(sweep):
    several = "ptx train -m method=sft,dpo 'data=./my data.jsonl'"
    assert command_of(with_command(sweep, several))[1:] == [*shlex.split(several)[1:], "--retry-failed"]
    assert command_of(with_command(sweep, f"{several} --retry-failed")).count("--retry-failed") == 1
    assert command_of(with_command(sweep, "ptx train method=sft")) == ["ptx", "train", "method=sft"]
    assert command_of(with_command(sweep, "ptx sweep a.yaml"))[-1] == "--retry-failed"


@pytest.mark.parametrize(
    "command", ["", "rm -rf /", "ptx", "ptx gc", "ptx ui", "bash -c 'ptx train'", "ptx 'train"]
)
def test_a_record_cannot_name_another_program(sweep, command):
    with pytest.raises(ActionError, match="names no command"):
        command_of(with_command(sweep, command))


def test_the_command_runs_in_the_folder_in_which_it_was_typed(sweep, root, monkeypatch, tmp_path):
    watch = with_command(sweep, "ptx train -m method=sft")
    assert place_of(watch).samefile(root.parent)
    begin(sweep / "dpo", config={"out": "elsewhere"})
    watch.look()
    with pytest.raises(ActionError, match="start `ptx ui` in the folder"):
        place_of(watch)
    begin(sweep / "dpo", config={"out": str(root)})
    watch.look()
    monkeypatch.chdir(tmp_path)
    assert place_of(watch).samefile(tmp_path)


def test_a_command_that_is_wrong_is_told_with_the_end_of_its_log(sweep):
    watch, again = with_command(sweep, "ptx train -m method=nosuch model=tiny"), Again()
    assert "method=nosuch" in again.start(watch)
    assert again.outcome(sweep) == {"starting": True}
    with pytest.raises(ActionError, match="already"):
        again.start(watch)
    again.started[sweep].wait(120)
    assert again.outcome(sweep)["code"] == 2
    assert "no method 'nosuch'" in again.outcome(sweep)["log"]


def test_a_sweep_that_is_being_executed_is_not_started_again(sweep):
    watch = with_command(sweep, "ptx train -m method=sft")
    with held(sweep / "sweep.lock"), pytest.raises(ActionError, match="already"):
        Again().start(watch)
