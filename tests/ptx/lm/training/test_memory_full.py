"""Memory that is full in the middle of a training."""

import types

import pytest
import torch

import ptx_sft
from ptx import ModelRef, RunConfig, StepError, hookimpl
from ptx.execute.steps import transform
from ptx.files import read_rows
from ptx.lm.serving.batching import is_memory_full
from ptx.lm.training.memory_full import advice
from ptx.lm.training.method import TrlMethod
from ptx_sft import SFT

CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"what is {n} plus {n}?"},
            {"role": "assistant", "content": f"it is {2 * n}"},
        ]
    }
    for n in range(24)
]
ON_A_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried to"
    " allocate 8 bytes. Error code 12 (Cannot allocate memory)"
)


def full_in_step(step: int, largest: int, error: Exception) -> types.ModuleType:
    """A plugin in whose machine more than ``largest`` examples fill the memory, from the step ``step`` on."""

    @hookimpl
    def ptx_fit(trainer):
        inner = trainer.training_step

        def training_step(*args, **kwargs):
            if trainer.args.per_device_train_batch_size > largest and trainer.state.global_step >= step:
                raise error
            return inner(*args, **kwargs)

        trainer.training_step = training_step

    plugin = types.ModuleType("small_machine")
    plugin.ptx_fit = ptx_fit
    return plugin


@pytest.fixture
def train_on(make_run, make_data, chat_model):
    """``train_on(*plugins, name=, **settings)``: the run and its result, as the core trains a step."""

    def start(*plugins, name="step", **settings):
        # these exact passes, whatever speed= sorts them by
        method = SFT(
            learning_rate=1e-3, batch_size=8, max_steps=4, warmup=0.0, checkpoint_every=0, **settings
        )
        run = make_run(RunConfig(method=method), [ptx_sft, *plugins], name)
        data = make_data(f"chats_{name}", CHATS)
        return run, transform(run, "train", method, ModelRef.of(chat_model), data)

    return start


def logged(run):
    """The loss of every step, by its number; a step that was repeated counts as it ended."""
    events = [event for event in read_rows(run.events) if event["event"] == "log"]
    return {event["step"]: event["metrics"]["loss"] for event in events if "loss" in event["metrics"]}


@pytest.mark.parametrize(
    "error", [ON_A_CPU, torch.OutOfMemoryError("CUDA out of memory.")], ids=["cpu", "gpu"]
)
def test_a_training_goes_on_from_its_last_step_with_half_the_micro_batch(train_on, error):
    undisturbed, _ = train_on(name="undisturbed")
    run, made = train_on(full_in_step(2, 2, error), name="small")
    assert made.path.is_dir()
    fitted = [event["changed"] for event in read_rows(run.events) if event["event"] == "fitted"]
    assert fitted == [{"micro_batch": 8}, {"micro_batch": 4}, {"micro_batch": 2}]
    said = [line for line in run.console.lines if "memory is full" in line]
    assert said[0].endswith(
        "at step 3; going on from the last step with micro_batch=4, and the same batch_size"
    )
    assert "resuming from step 2" in "".join(run.console.lines)
    assert sorted(logged(run)) == [1, 2, 3, 4]
    assert logged(run) == pytest.approx(logged(undisturbed), rel=1e-4)


def test_a_training_that_was_killed_after_halving_starts_with_the_half(train_on):
    train_on(full_in_step(0, 2, ON_A_CPU), name="small")
    run, _ = train_on(name="small")
    fitted = [event["changed"] for event in read_rows(run.events) if event["event"] == "fitted"]
    assert [one["micro_batch"] for one in fitted] == [8, 4, 2, 2]


def test_a_micro_batch_that_was_typed_is_not_changed(train_on):
    with pytest.raises(
        StepError, match=r"machine's memory is full; try method\.micro_batch=4, lora=lora, or a"
    ):
        train_on(full_in_step(2, 2, ON_A_CPU), micro_batch=8)


def test_where_one_example_does_not_fit_the_step_fails_and_says_what_needs_less(train_on):
    with pytest.raises(StepError, match=r"memory is full; try lora=lora, or a shorter method\.max_length"):
        train_on(full_in_step(0, 0, ON_A_CPU))


def test_other_errors_are_not_taken_for_full_memory(train_on):
    assert not is_memory_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        train_on(full_in_step(1, 0, RuntimeError("shapes cannot be multiplied")))


def test_the_advice_names_what_is_not_in_use_yet():
    assert advice(TrlMethod(batch_size=16, micro_batch=8)).startswith("try method.micro_batch=4, lora=lora")
    assert (
        advice(TrlMethod(batch_size=16, micro_batch=1, lora=object())) == "try or a shorter method.max_length"
    )
