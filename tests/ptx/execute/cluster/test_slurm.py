"""Runs as Slurm jobs, with stand-ins for Slurm's commands."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.ptx.execute.cluster.conftest import CLUSTER_WORDS as WORDS
from tests.ptx.execute.cluster.conftest import ended, ptx, records, wait_until
from tests.ptx.execute.conftest import trained

pytestmark = pytest.mark.usefixtures("warm")


def test_runs_are_submitted_and_the_same_command_collects_them(slurm):
    command = [
        "train",
        "-m",
        *WORDS,
        "method.rate=0.1,0.2",
        "cluster=slurm",
        "cluster.minutes=7",
        "cluster.args={qos: high}",
    ]
    code, said = ptx(*command)
    assert code == 0, said
    assert "0 runs have ended, 3 are on the cluster" in said
    script = next(Path(os.environ["FAKE_SLURM"]).glob("*.script")).read_text()
    assert "--time=7" in script
    assert "--qos=high" in script
    wait_until(ended)
    code, said = ptx(*command)
    assert code == 0, said
    assert "steps: 2 asked for, 2 ran" in said
    assert [result["status"] for result in records(slurm).values()] == ["done"] * 3
    code, said = ptx(*command)
    assert "3 of 3 runs were done already and are kept" in said
    assert len(trained(slurm)) == 2
    assert len(list(Path(os.environ["FAKE_SLURM"]).glob("*.script"))) == 1
    code, local = ptx(*command[:-3])
    assert "3 of 3 runs were done already and are kept" in local


def test_a_job_under_way_is_left_alone_and_one_that_dies_is_recorded_and_sent_again(slurm):
    command = ["train", *WORDS, "method.args.seconds=60", "cluster=slurm", "baseline=false"]
    assert ptx(*command)[0] == 0
    wait_until(lambda: trained(slurm))
    code, said = ptx(*command)
    assert (code, "1 are on the cluster" in said) == (0, True)
    pid = trained(slurm)[0][1]
    os.kill(pid, signal.SIGKILL)
    wait_until(ended)
    code, said = ptx(*command)
    assert code == 1
    assert "ended as FAILED without a result" in said
    assert [result["error"]["type"] for result in records(slurm).values()] == ["JobDied"]
    assert "failed" in ptx("runs", "ls")[1]
    (slurm / "hurry").touch()
    assert ptx(*command)[0] == 0
    wait_until(lambda: [result["status"] for result in records(slurm).values()] == ["done"])


def test_of_several_jobs_those_that_died_are_left_alone_until_asked_for(slurm):
    command = ["train", "-m", *WORDS, "method.args={crash: SIGKILL},{}", "cluster=slurm", "baseline=false"]
    sent = lambda: len(list(Path(os.environ["FAKE_SLURM"]).glob("*.script")))
    assert ptx(*command)[0] == 0
    wait_until(ended)
    code, said = ptx(*command)
    assert (code, "ended as FAILED without a result" in said) == (1, True)
    code, said = ptx(*command)
    assert (code, sent()) == (1, 1)
    assert "failed earlier" in said
    assert "--retry-failed tries again" in said
    code, said = ptx(*command, "--retry-failed")
    assert (code, sent()) == (0, 2), said
    assert "1 are on the cluster" in said
    wait_until(ended)


def test_a_preempted_job_is_queued_again_and_goes_on(slurm):
    assert ptx("train", *WORDS, "method.args.seconds=60", "cluster=slurm", "baseline=false")[0] == 0
    wait_until(lambda: trained(slurm))
    os.kill(trained(slurm)[0][1], signal.SIGUSR2)
    wait_until(lambda: len(trained(slurm)) == 2)
    assert not records(slurm)
    (slurm / "hurry").touch()
    wait_until(lambda: [result["status"] for result in records(slurm).values()] == ["done"])
