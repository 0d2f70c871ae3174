"""When a training is stopped, and when it continues."""

import math
from types import SimpleNamespace

import pytest

from ptx.errors import StepError
from ptx.lm.training.callbacks import PATIENCE, Watch, stop_if_not_finite, stop_without_signal


def rewards(*spread: float, reward: float = 0.0) -> list[dict]:
    return [{"reward": reward, "frac_reward_zero_std": share, "grad_norm": 0.0} for share in spread]


@pytest.mark.parametrize("name", ["loss", "grad_norm", "train_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stops(name, value):
    with pytest.raises(
        StepError, match=f"{name} is {value} at step 7 with learning rate 0.002: the weights are lost"
    ):
        stop_if_not_finite({name: value, "learning_rate": 0.002}, 7)


def test_other_numbers_may_be_anything():
    stop_if_not_finite({"entropy": math.nan, "loss": -3.0}, 7)


def test_equal_rewards_from_the_start_stop_after_patience():
    stop_without_signal(rewards(*[1.0] * (PATIENCE - 1)), PATIENCE - 1, 100, None)
    with pytest.raises(
        StepError,
        match=r"all rewards were equal \(0\) within every group of completions for 10 steps.*an example",
    ):
        stop_without_signal(rewards(*[1.0] * PATIENCE), PATIENCE, 100, lambda: "an example")


def test_a_short_training_without_signal_is_stopped_at_its_end():
    with pytest.raises(StepError, match="for 3 steps"):
        stop_without_signal(rewards(1.0, 1.0, 1.0), 3, 3, None)


def test_one_group_that_differed_is_a_signal():
    stop_without_signal(rewards(*[1.0] * 5, 0.75, *[1.0] * 50), 56, 100, None)


def test_rewards_that_differ_between_groups_only_are_still_no_signal():
    history = rewards(1.0, reward=0.0) + rewards(1.0, reward=0.5)
    with pytest.raises(
        StepError, match="all rewards were equal within every group of completions for 2 steps"
    ):
        stop_without_signal(history, 2, 2, None)


def test_a_zero_gradient_from_the_start_stops_and_a_small_one_does_not():
    with pytest.raises(StepError, match="the gradient has been zero for 10 steps"):
        stop_without_signal([{"grad_norm": 1e-9}] * 10, 10, 100, None)
    stop_without_signal([{"grad_norm": 1e-4}] * 10, 10, 100, None)
    stop_without_signal([{"grad_norm": 1.0}] + [{"grad_norm": 0.0}] * 50, 51, 100, None)


def test_the_time_left_is_told_from_the_second_step_on(monkeypatch):
    clock = iter([0.0, 0.0, 60.0, 60.0, 61.0, 62.0])  # made, begun, first step, its log, second step's log
    monkeypatch.setattr("ptx.lm.training.callbacks.time.perf_counter", lambda: next(clock))
    said, logged = [], []
    watch = Watch(SimpleNamespace(say=said.append, log=lambda shown, *_: logged.append(shown)))
    state = SimpleNamespace(global_step=0, max_steps=100, log_history=[])
    watch.on_train_begin(None, state, None)
    for step in (1, 2):
        state.global_step = step
        watch.on_step_end(None, state, None)
        watch.on_log(None, state, None, {"loss": 1.0})
    assert said == ["step 1 of 100 begins", "the first step took 60.0 s"]
    assert "eta_seconds" not in logged[0]  # 59:59 after one slow step would be a guess
    assert logged[1]["eta_seconds"] == 98.0
