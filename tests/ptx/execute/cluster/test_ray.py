"""Runs as Ray tasks, on a real Ray of this machine."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from tests.ptx.execute.cluster.conftest import CLUSTER_WORDS as WORDS
from tests.ptx.execute.cluster.conftest import ptx, records


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
