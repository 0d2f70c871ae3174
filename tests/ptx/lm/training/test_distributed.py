"""Two ranks get the losses of one process; wrong settings are refused before anything starts."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx.lm.training.distributed import assign_gpu
from ptx.plan.planner import make_plan
from ptx.testing import Silent

pytestmark = pytest.mark.usefixtures("warm")

WORDS = [
    "model=tiny",
    "eval=[]",
    "baseline=false",
    "method.max_steps=3",
    "method.batch_size=4",
    "method.args.logging_steps=1",
    "device=cpu",
]
TWO = ["launch=torchrun", "launch.processes=2"]


def plan_of(out, *words):
    return make_plan(
        get_host(), "train", compose_jobs(get_host(), "train", [*WORDS, *words, f"out={out}"]), "ptx test"
    )


def trained(out, *words):
    plan = plan_of(out, *words)
    outcome = run_sweep(plan, get_host(), Silent())
    assert outcome.failed == ()
    record = plan.folder / plan.runs[0].id
    logs = [event["metrics"] for event in read_rows(record / "events.jsonl") if event["event"] == "log"]
    return record, [(metrics["loss"], metrics["grad_norm"]) for metrics in logs if "loss" in metrics]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["method=dpo", "data=tiny_pairs", "data.limit=40"],
        ["method=sft", "data=tiny", "data.limit=40", "method.micro_batch=1"],
    ],
    ids=["dpo", "sft with accumulation"],
)
def test_two_ranks_have_the_losses_of_one_process_with_the_same_global_batch(tmp_path, words):
    from safetensors.torch import load_file

    one, alone = trained(tmp_path / "one", *words)
    two, together = trained(tmp_path / "two", *words, *TWO)
    assert len(alone) == 3
    assert len({round(loss, 4) for loss, _ in alone}) > 1
    for got, wanted in zip(together, alone, strict=True):
        assert got == pytest.approx(wanted, rel=2e-4, abs=1e-6)
    weights = [load_file(record / "model" / "model.safetensors") for record in (one, two)]
    assert all(weights[0][name].float().allclose(weights[1][name].float(), atol=2e-4) for name in weights[0])
    # one record, and not an output folder per rank, which Hydra would make
    assert len(list((tmp_path / "two").glob("**/run.json"))) == 1
    steps = [read_json(record / "run.json")["steps"][0] for record in (one, two)]
    assert steps[0]["key"] != steps[1]["key"]
    assert steps[1]["ingredients"]["launch"] == {"processes": 2}


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_all_ranks_and_fails_the_run_with_the_reason(tmp_path):
    plan = plan_of(
        tmp_path,
        "method=sft",
        "data=tiny",
        "data.limit=40",
        "method.learning_rate=1e30",
        "method.max_steps=40",
        *TWO,
    )
    outcome = run_sweep(plan, get_host(), Silent())
    assert ["the weights are lost" in message for _, message in outcome.failed] == [True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["method=dpo", "data=tiny_pairs", "launch=torchrun", "launch.processes=3"],
            "method.batch_size=4 is shared by launch.processes=3",
        ),
        (
            ["method=dpo", "data=tiny_pairs", "method.batch_size=12", "method.micro_batch=4", *TWO],
            "does not divide each rank's 6 examples",
        ),
        (["method=kto", "data=tiny_thumbs", *TWO], "KTO cannot train with 2 processes together"),
        (
            ["method=sft", "data=tiny", "launch=accelerate", "launch.config=fsdp3"],
            "did you mean 'fsdp1' or 'fsdp2'?",
        ),
        (
            ["method=sft", "data=tiny", "launch=accelerate", "launch.config=fsdp2"],
            "needs GPUs, and this run is on the CPU",
        ),
        (
            ["method=dpo", "data=tiny_pairs", "launch=accelerate", "launch.config=fsdp2"],
            "method.cache_reference=false",
        ),
    ],
)
def test_what_ranks_cannot_do_is_refused_before_anything_starts(tmp_path, words, message):
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, *words)
    assert message in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("given", "visible"), [(None, "0"), ("2,3", "2"), ("GPU-8a3f", "GPU-8a3f")])
def test_a_process_that_trains_alone_sees_one_gpu_of_several(monkeypatch, given, visible):
    """TRL refuses to train in a single process that sees several GPUs."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given or "")
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        monkeypatch.setattr("ptx.machine.gpus", lambda: ("H", "H"))
    assign_gpu(SimpleNamespace(device="cuda"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_a_process_without_a_gpu_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assign_gpu(SimpleNamespace(device="cpu"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"
