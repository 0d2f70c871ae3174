"""A run whose wandb is offline, and the result of a run."""

from types import SimpleNamespace

import pluggy
import pytest

import ptx_wandb
from ptx import Run, RunConfig
from ptx.hooks import hookspecs
from ptx.hooks.host import Host
from ptx_wandb import Wandb
from tests.plugins.conftest import Screen

RESULT = {
    "status": "done",
    "seconds": 3.5,
    "steps": [
        {
            "name": "sft",
            "kind": "train",
            "key": "k1",
            "shared": False,
            "seconds": 2.0,
            "bytes": 7,
            "metrics": {},
        }
    ],
    "model": {"path": "x", "digest": "d", "kind": "full", "bytes": 7, "runtime": "hf"},
    "metrics": [
        {
            "evaluator": "bench",
            "name": "acc",
            "segment": "",
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "n": 80,
            "unit": "",
            "better": "higher",
        },
        {
            "evaluator": "bench",
            "name": "acc",
            "segment": "skill=add",
            "value": 0.7,
            "low": 0.6,
            "high": 0.8,
            "n": 8,
            "unit": "",
            "better": "higher",
        },
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run under the real plugin manager, with wandb kept away from any account."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    manager = pluggy.PluginManager("ptx")
    manager.add_hookspecs(hookspecs)
    manager.register(ptx_wandb)
    step = SimpleNamespace(name="sft", kind="train", key="k1")
    plan = SimpleNamespace(id="r1", label="method=sft", sweep="grid", verb="train", steps=[step])
    config = RunConfig(tracker={"wandb": Wandb(mode="offline")}, out=str(tmp_path / "out"))
    record = tmp_path / "record"
    record.mkdir()
    return Run(
        config,
        Host(manager),
        Screen(),
        record,
        record / "events.jsonl",
        record,
        0,
        "cpu",
        plan=plan,
        record=record,
    )
