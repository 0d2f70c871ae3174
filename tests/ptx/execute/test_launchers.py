"""Launchers and clusters: command lines, keys, and what is found to be wrong before anything starts."""

from __future__ import annotations

import sys

import pytest

from ptx import machine
from ptx.config import Method, RunConfig
from ptx.execute import launchers
from ptx.execute.launchers import (
    Accelerate,
    Inline,
    Process,
    Ray,
    Slurm,
    Torchrun,
    accelerator_problems,
    launch_problems,
)

CHILD = ["ptx.execute.child", "spec.json"]


class Alone(Method):
    pass


class Together(Method):
    parallel = True


@pytest.fixture
def accelerate(tmp_path):
    """``accelerate(distributed_type="FSDP")``: with a configuration file of that content."""

    def make(**settings):
        file = tmp_path / "accelerate.yaml"
        file.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        return Accelerate(config=str(file))

    return make


def texts(problems):
    return [str(problem) for problem in problems]


def test_each_launcher_runs_the_child_as_a_module_in_every_rank():
    assert Process().command(CHILD) == [sys.executable, "-m", *CHILD]
    torchrun = Torchrun(processes=3).command(CHILD)
    assert torchrun[1:3] == ["-m", "torch.distributed.run"]
    assert "--nproc-per-node=3" in torchrun
    assert torchrun[-3:] == ["-m", *CHILD]
    accelerated = Accelerate(processes=4).command(CHILD)
    assert "--num_processes=4" in accelerated
    assert accelerated[-3:] == ["-m", *CHILD]


def test_one_process_shares_the_key_of_an_inline_step_and_several_do_not(accelerate):
    assert Inline().decides() == Process().decides() == Torchrun(processes=1).decides() == {}
    assert Torchrun(processes=2).decides() == {"processes": 2}
    one = accelerate(distributed_type="FSDP").decides()
    assert one["accelerate"] != accelerate(distributed_type="MULTI_GPU").decides()["accelerate"]


@pytest.mark.parametrize(("kind", "shards"), [("FSDP", True), ("DEEPSPEED", True), ("MULTI_GPU", False)])
def test_fsdp_and_deepspeed_shard_the_model(accelerate, kind, shards):
    assert accelerate(distributed_type=kind).shards is shards


def test_fewer_than_one_process_is_refused():
    with pytest.raises(ValueError, match=r"launch\.processes must be at least 1, got 0"):
        Torchrun(processes=0)


def test_a_method_that_one_process_must_train_and_missing_gpus_are_both_named(monkeypatch):
    monkeypatch.setattr(machine, "visible_gpus", lambda: ["0"])
    config = RunConfig(method=Alone(), launch=Torchrun(processes=4), device="cuda")
    alone, gpus = texts(launch_problems(config))
    assert alone.startswith("Alone cannot train with 4 processes together")
    assert gpus == "launch.processes=4, but this machine has 1 GPUs; try launch.processes=1"
    config = RunConfig(method=Together(), launch=Torchrun(processes=4), device="cpu")
    assert launch_problems(config) == []


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"distributed_type": "FSDP", "num_machines": 2}, "is for 2 machines"),
        ({"mixed_precision": "bf16"}, "is no accelerate configuration: it has no distributed_type"),
        ({"distributed_type": "[FSDP"}, "is not YAML"),
    ],
)
def test_an_accelerate_configuration_that_cannot_be_used_is_refused(accelerate, settings, part):
    config = RunConfig(method=Together(), launch=accelerate(**settings), device="cpu")
    assert [part in text for text in texts(launch_problems(config))] == [True]


def test_an_unknown_accelerate_configuration_is_answered_with_the_nearest(tmp_path, monkeypatch):
    (tmp_path / "zero2.yaml").touch()
    monkeypatch.setattr(launchers, "shipped_configs", lambda: tmp_path)
    config = RunConfig(method=Together(), launch=Accelerate(config="zero22"), device="cpu")
    assert "did you mean 'zero2'?" in texts(launch_problems(config))[0]


def test_a_configuration_for_gpus_is_refused_on_a_cpu(accelerate):
    for kind, refused in (("FSDP", True), ("MULTI_CPU", False)):
        config = RunConfig(method=Together(), launch=accelerate(distributed_type=kind), device="cpu")
        assert bool(accelerator_problems(config)) is refused


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        (lambda: Slurm(minutes=0), "cluster.minutes must be at least 1, got 0"),
        (lambda: Slurm(gpus=-1), "cluster.gpus must not be negative, got -1"),
        (lambda: Ray(cpus=0), "cluster.cpus must be positive, got 0"),
        (lambda: Ray(gpus=-0.5), "cluster.gpus must not be negative, got -0.5"),
    ],
)
def test_settings_that_no_cluster_can_grant_are_refused(cluster, name):
    with pytest.raises(ValueError, match=name):
        cluster()


def test_the_device_of_a_run_on_a_cluster_must_be_known_here(monkeypatch):
    monkeypatch.setattr(machine, "resolve_device", lambda device: "cpu" if device == "auto" else device)
    monkeypatch.setattr(launchers, "find_spec", lambda name: name)
    asked = texts(Ray(gpus=1).problems(RunConfig(device="auto")))
    assert asked == ["cluster.gpus=1, but device=auto means the CPU on this machine; write device=cuda"]
    missing = texts(Ray().problems(RunConfig(device="cuda")))
    assert missing == [
        "device=cuda means a GPU, but cluster.gpus=0 asks for none; cluster.gpus=1, or device=cpu"
    ]
    assert Ray(gpus=1).problems(RunConfig(device="cuda")) == []
