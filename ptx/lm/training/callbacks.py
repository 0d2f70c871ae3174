"""Report the progress of a training run, and stop a run that cannot learn anything.

Three states stop a run early: a loss or gradient that is not finite (TRL would continue), a gradient that is
zero from the start (the data contains nothing to learn), and rewards that are equal within every group from
the start (GRPO's advantage is then zero). Only a run that *never* had a signal is stopped. A run that has
learnt everything ends normally.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ptx.errors import StepError
from ptx.hooks.run import Run

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

#: a training without any signal in this many first steps is stopped
PATIENCE = 10

#: a gradient norm below this is rounding error: two equal sides of a pair give about 1e-8
NOISE = 1e-6

#: TRL's name of a number -> ptx's name
NAMES = {"num_tokens": "tokens", "train_loss": "mean_loss", "train_runtime": "seconds"}
#: numbers of TRL that are not shown
LEFT_OUT = ("total_flos", "train_steps_per_second", "train_samples_per_second", "epoch", "step_time")


class Watch(TrainerCallback):  # type: ignore[misc]
    """Reports every log of a trainer to ``run``, and raises StepError when training cannot succeed.

    ``explain`` returns a method's explanation of a missing signal: an example completion and its reward.
    """

    def __init__(self, run: Run, explain: Callable[[], str] | None = None) -> None:
        self.run, self.explain = run, explain
        self.started = self.last = time.perf_counter()
        self.first: tuple[int, float] | None = None  # the first step of this process, and when it ended
        self.tokens = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, also when training is resumed."""
        self.started = self.last = time.perf_counter()
        self.run.say(f"step {state.global_step + 1} of {state.max_steps} begins")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Say how long the first step took; the estimate of the rest begins after it."""
        if self.first is None:
            self.first = (state.global_step, time.perf_counter())
            self.run.say(f"the first step took {self.first[1] - self.started:.1f} s")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Report the numbers, and raise StepError when they show that training cannot succeed."""
        numbers = {key: float(value) for key, value in (logs or {}).items() if isinstance(value, int | float)}
        stop_if_not_finite(numbers, state.global_step)
        stop_without_signal(state.log_history, state.global_step, state.max_steps, self.explain)
        shown = {
            NAMES.get(key, key): value
            for key, value in numbers.items()
            if key not in LEFT_OUT and not math.isnan(value)
        }
        shown = dict(sorted(shown.items(), key=lambda item: _rank(item[0])))
        if "train_runtime" not in numbers:
            shown |= self._pace(numbers, state)
        self.run.log(shown, state.global_step, state.max_steps)

    def _pace(self, numbers: dict[str, float], state: TrainerState) -> dict[str, float]:
        """The time that is left and the tokens per second.

        The first step compiles kernels and fills caches, so it tells nothing of the others.
        """
        now, pace = time.perf_counter(), {}
        if self.first is not None and state.global_step > self.first[0]:
            step, ended = self.first
            left = state.max_steps - state.global_step
            pace["eta_seconds"] = round((now - ended) / (state.global_step - step) * left, 1)
        if "num_tokens" in numbers:
            pace["tokens_per_second"] = round(
                (numbers["num_tokens"] - self.tokens) / max(now - self.last, 1e-9), 1
            )
            self.tokens = numbers["num_tokens"]
        self.last = now
        return pace


def _rank(name: str) -> int:
    """The position of a number in a line: the most important come first, since a terminal's line is short."""
    first = (
        "loss",
        "reward",
        "rewards/accuracies",
        "rewards/margins",
        "mean_token_accuracy",
        "kl",
        "learning_rate",
        "grad_norm",
    )
    return first.index(name) if name in first else len(first)


def stop_if_not_finite(numbers: dict[str, float], step: int) -> None:
    """Raise StepError when the loss or the gradient norm is inf or nan."""
    for name in ("loss", "grad_norm", "train_loss"):
        value = numbers.get(name, 0.0)
        if not math.isfinite(value):
            rate = numbers.get("learning_rate")
            at = f" with learning rate {rate:.3g}" if rate is not None else ""
            raise StepError(
                f"{name} is {value} at step {step}{at}: the weights are lost. Try a lower"
                " method.learning_rate (a tenth), more method.warmup, or method.args={max_grad_norm: 0.3};"
                " in float16 also method.dtype=float32"
            )


def stop_without_signal(
    history: list[dict[str, Any]], step: int, total: int, explain: Callable[[], str] | None
) -> None:
    """Raise StepError when no step so far had a gradient, after PATIENCE steps or a shorter training."""
    if step < min(PATIENCE, total):
        return
    spread = [entry["frac_reward_zero_std"] for entry in history if "frac_reward_zero_std" in entry]
    if spread and min(spread) == 1.0:
        rewards = [entry["reward"] for entry in history if "reward" in entry]
        value = f"({rewards[-1]:.4g}) " if len({round(reward, 6) for reward in rewards}) == 1 else ""
        raise StepError(
            f"all rewards were equal {value}within every group of completions for {step} steps: the gradient"
            " is zero and nothing is learnt. " + (explain() if explain else "")
        )
    norms = [entry["grad_norm"] for entry in history if "grad_norm" in entry]
    if norms and max(norms) < NOISE and not spread:
        raise StepError(
            f"the gradient has been zero for {step} steps: this data contains nothing to learn (does"
            " method.max_length cut away all answers, or are both sides of each pair the same?)"
        )
