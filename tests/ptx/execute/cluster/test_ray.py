"""Runs as Ray tasks: with a stand-in for Ray, and on a real Ray of this machine."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

from ptx.execute.cluster.ray import ONE_MACHINE, connect, run_on_ray
from ptx.execute.launchers import Ray
from ptx.files import read_json
from ptx.testing import Silent
from tests.ptx.execute.cluster.conftest import CLUSTER_WORDS as WORDS
from tests.ptx.execute.cluster.conftest import ptx, records
from tests.ptx.execute.conftest import plan_of


class TaskError(Exception):
    pass


class FakeRay(types.ModuleType):
    """A Ray whose tasks run when their result is asked for; a run whose label is in ``dies`` dies."""

    def __init__(self, dies=""):
        super().__init__("ray")
        self.dies, self.asked, self.calls, self.options = dies, {}, [], {}
        self.exceptions = types.SimpleNamespace(RayError=TaskError)

    def init(self, **options):
        self.options |= options

    def shutdown(self):
        self.calls.append("shutdown")

    def remote(self, **options):
        self.options |= options
        return lambda function: types.SimpleNamespace(remote=lambda *a, **k: (function, a, tuple(k.items())))

    def wait(self, tasks, num_returns=1, timeout=None):
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task):
        function, arguments, keywords = task
        run = read_json(Path(arguments[0]) / "run.json")
        self.calls.append((run["label"], dict(keywords)["timed"]))
        if self.dies and self.dies in run["label"]:
            raise TaskError("the worker died\nwith details")
        return function(*arguments, **dict(keywords))

    def cancel(self, task):
        self.calls.append("cancel")


@pytest.fixture
def fake(host, monkeypatch):
    monkeypatch.setattr("ptx.execute.cluster.frozen.get_host", lambda: host)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def make(dies=""):
        ray = FakeRay(dies)
        monkeypatch.setitem(sys.modules, "ray", ray)
        return ray

    return make


def test_timings_are_measured_last_and_one_after_the_other(folder, host, fake):
    ray = fake()
    plan = plan_of("method.rate=0.1,0.2", "baseline=false", host=host)
    outcome = run_on_ray(plan, host, Silent(), Ray(cpus=2))
    assert (outcome.done, outcome.failed) == (2, ())
    assert [call[1] for call in ray.calls[:-1]] == [False, False, True, True]
    assert ray.calls[-1] == "shutdown"
    assert (ray.options["num_cpus"], ray.options["max_retries"]) == (2, 0)


def test_a_task_that_dies_fails_its_run_only(folder, host, fake):
    fake(dies="rate=0.1")
    plan, console = plan_of("method.rate=0.1,0.2", "baseline=false", host=host), Silent()
    outcome = run_on_ray(plan, host, console, Ray())
    assert (outcome.done, [message for _, message in outcome.failed]) == (
        1,
        ["the Ray task died: the worker died"],
    )
    result = read_json(plan.folder / outcome.failed[0][0] / "result.json")
    assert (result["status"], result["error"]["type"]) == ("failed", "TaskDied")
    assert any(line.startswith("failed: method.rate=0.1: TaskDied") for line in console.said)


def test_fail_fast_cancels_the_tasks_that_are_left(folder, host, fake):
    ray = fake(dies="rate=0.1")
    plan = plan_of("method.rate=0.1,0.2", "baseline=false", host=host)
    outcome = run_on_ray(plan, host, Silent(), Ray(), fail_fast=True)
    assert (outcome.done, len(outcome.failed)) == (0, 1)
    assert "cancel" in ray.calls


def test_finished_runs_start_no_ray(folder, host, fake):
    plan = plan_of("baseline=false", host=host)
    fake()
    run_on_ray(plan, host, Silent(), Ray())
    ray = fake()
    assert run_on_ray(plan, host, Silent(), Ray()).kept == 1
    assert ray.calls == []


@pytest.mark.parametrize(
    ("cluster", "environment", "address"),
    [(Ray(), None, None), (Ray(), "here:1", "here:1"), (Ray(address="auto"), "here:1", "auto")],
)
def test_the_address_is_the_setting_else_that_of_the_environment(
    fake, monkeypatch, cluster, environment, address
):
    ray = fake()
    if environment:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    connect(cluster)
    assert ray.options["address"] == address
    assert ("object_store_memory" in ray.options) is (address is None)


@pytest.mark.parametrize(
    ("cluster", "loopback"),
    [(Ray(), True), (Ray(listen="all"), False), (Ray(address="auto"), False)],
)
def test_a_ray_that_is_started_here_listens_on_loopback_unless_asked(fake, monkeypatch, cluster, loopback):
    monkeypatch.delenv(ONE_MACHINE, raising=False)
    monkeypatch.setattr("os.environ", dict(os.environ))
    fake()
    connect(cluster)
    assert (os.environ.get(ONE_MACHINE) == "0") is loopback


LISTENING = """
import psutil
from ptx.execute.cluster.ray import connect
from ptx.execute.launchers import Ray
connect(Ray())
import ray
me = psutil.Process()
found = [c.laddr.ip for p in (me, *me.children(recursive=True)) for c in p.net_connections("inet")
         if c.status == "LISTEN"]
ray.shutdown()
print(sorted(set(found)))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'ptx[ray]'")
def test_no_port_of_a_real_ray_is_open_to_a_network(folder):
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, check=True)
    found = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    assert found
    assert all(address.endswith("127.0.0.1") for address in found)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'ptx[ray]'")
def test_ray_takes_the_runs_and_a_task_that_dies_fails_its_run_only(folder):
    command = ["train", "-m", *WORDS, "method.args={crash: SIGKILL},{}", "cluster=ray"]
    code, said = ptx(*command)
    assert code == 1, said
    statuses = sorted(result["status"] for result in records(folder).values())
    assert statuses == ["done", "done", "failed"]
    assert "the Ray task died" in said
    machine = [
        part["ingredients"]
        for record in records(folder, "run.json").values()
        for part in record["evaluations"]
        if part["name"] == "steady"
    ]
    assert all(json.dumps(part["machine"]) for part in machine)
