"""Answers for methods that learn from rewards: who samples them, and what corrects for that.

``method.rollout=hf`` samples from the trained model itself, by :mod:`ptx.lm.serving.continuing`: the prompt
of a group is read once, and an answer that has ended costs nothing more. ``trl`` is transformers'
``generate`` as TRL calls it. The name of a runtime (vllm, onnx) samples there: it gets the weights before
every optimizer step, as an adapter where it takes one, else as a model folder, exported where it needs that.

Another runtime rounds differently, so it samples from a slightly different model than the one that is
trained. TRL's importance correction (Yao et al. 2025, "Your efficient RL framework secretly brings you
off-policy RL training") weighs the tokens by p_trainer / p_sampler. It is on there, and what the two differ
by is logged as ``sampling/sampling_logp_difference``. RLOO has none in TRL: here an answer's advantage is
weighed by the ratio of the whole answer, cut off at the same bound.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from shutil import disk_usage, rmtree
from typing import Any

import torch
from torch import Tensor

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.load import load_tokenizer, save_adapter, save_model
from ptx.lm.merge import merged
from ptx.lm.serving.batching import AUTO, Batches
from ptx.lm.serving.continuing import cannot_continue, continued
from ptx.lm.serving.padding import ANY, batched
from ptx.lm.training.distributed import ranks
from ptx.lm.training.reinforced import HERE, TRL, Reinforced
from ptx.records import ModelRef

Rows = Sequence[Sequence[int]]
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (a folder with a random name is made in it)


def with_rollouts(
    run: Run, method: Reinforced, model: ModelRef, kind: Callable[..., Any]
) -> Callable[..., Any]:
    """TRL's trainer ``kind`` (a class, or a partial of one), with the answers of ``method.rollout``."""
    base: Any = kind.func if isinstance(kind, partial) else kind
    if method.rollout == TRL:
        return kind
    asked = inspect.signature(base._generate_single_turn)  # noqa: SLF001 (TRL's place for another sampler)
    gives_log_probs = "num_generations" in asked.parameters  # not for RLOO

    class WithRollouts(base):  # type: ignore[misc]
        """TRL's trainer, whose answers come from ``method.rollout``."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            refuse_mixed_rows(self.accelerator.unwrap_model(self.model))
            self.rollouts = Own() if method.rollout == HERE else Elsewhere(run, method, model)
            self.sampled: list[list[float]] = []  # log-probabilities of the last answers
            if method.rollout != HERE and gives_log_probs:
                self.use_vllm = True  # TRL's name for: sampled elsewhere; it turns the correction on

        def _generate_single_turn(self, prompt_ids: Rows, images: Any, *args: Any, **options: Any) -> Any:
            if images is not None or not self.rollouts.can(self):
                return super()._generate_single_turn(prompt_ids, images, *args, **options)
            made, log_probs = self.rollouts.answers(self, prompt_ids)
            self.sampled = log_probs or []
            return (made, log_probs) if gives_log_probs else made

        def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
            batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
            if self.sampled and not gives_log_probs:
                bound = getattr(self.args, "vllm_importance_sampling_clip_max", None) or BOUND
                weights = weigh(batch["old_logps"], self.sampled, bound, self._note)
                batch["advantages"] = batch["advantages"] * weights
            return batch

        def _note(self, name: str, value: Tensor) -> None:
            mode = "train" if self.model.training else "eval"
            gathered = self.accelerator.gather(value.to(self.accelerator.device))
            self._metrics[mode][name].append(gathered.float().mean().item())

        def train(self, *args: Any, **options: Any) -> Any:
            try:
                return super().train(*args, **options)
            finally:
                self.rollouts.close()

    WithRollouts.__name__ = base.__name__
    return partial(WithRollouts, *kind.args, **kind.keywords) if isinstance(kind, partial) else WithRollouts


def refuse_mixed_rows(policy: Any) -> None:
    """Refuse a model that reads padding as text, or mixes up the rows of a batch.

    Raises:
        StepError: TRL pads prompts at their beginning, for sampling and for training.
    """
    if cannot_continue(policy) and (which := batched(policy)) != ANY:
        raise StepError(
            f"{type(policy).__name__} reads {which} together without an error, and a batch of prompts is"
            " padded at its beginning: each answer would depend on the prompts beside it; train the model"
            " with method=sft, method=dpo or method=kto, which pad at the end"
        )


BOUND = 3.0  # TRL's bound for a ratio of importance


def weigh(
    trained: Tensor, sampled: Sequence[Sequence[float]], bound: float, note: Callable[[str, Tensor], None]
) -> Tensor:
    """p_trainer / p_sampler of whole answers (B,), at most ``bound``; what they differ by is noted."""
    gap = trained - torch.tensor([sum(one) for one in sampled], device=trained.device, dtype=trained.dtype)
    counts = torch.tensor([max(1, len(one)) for one in sampled], device=trained.device)
    ratio = gap.exp().clamp(max=bound)
    note("sampling/sampling_logp_difference/mean", (gap.abs() / counts).mean())
    note("sampling/importance_sampling_ratio/mean", ratio.mean())
    return ratio


class Own:
    """Answers of the trained model, in this process."""

    def can(self, trainer: Any) -> bool:
        """Whether the settings and the model allow it; TRL samples otherwise."""
        args, config = trainer.args, trainer.generation_config
        plain = (
            ranks() == 1
            and not getattr(trainer, "use_transformers_continuous_batching", False)
            and not args.generation_kwargs
            and (args.top_p, args.repetition_penalty) == (1.0, 1.0)
            and not args.top_k
            and not args.min_p
            and config.do_sample
        )
        return plain and not cannot_continue(trainer.accelerator.unwrap_model(trainer.model))

    def answers(self, trainer: Any, rows: Rows) -> tuple[list[list[int]], None]:
        """Sample an answer to each prompt; equal prompts stand together. TRL needs no log-probabilities."""
        policy = trainer.accelerator.unwrap_model(trainer.model)
        most, ends = trainer.max_completion_length, set(trainer.eos_token_ids)
        made: list[list[int]] = [[] for _ in rows]
        batches = Batches.of(AUTO, policy.config.get_text_config(), policy.dtype.itemsize, policy.device.type)
        with evaluating(policy), cast_once(trainer.accelerator, policy):
            for places, new in batches.each(
                [len(row) + most for row in rows],
                lambda places: continued(
                    policy,
                    [rows[place] for place in places],
                    most,
                    lambda scores, _: drawn(scores, trainer.temperature),
                    lambda one: one[-1] in ends,
                ),
                batches.kept,
            ):
                for place, ids in zip(places, new, strict=True):
                    made[place] = ids
        return made, None

    def close(self) -> None:
        """Nothing is open."""


def drawn(scores: Tensor, temperature: float) -> Tensor:
    """A token of each row of scores (B, V), by one random number each: (B,)."""
    total = torch.softmax(scores.float() / temperature, dim=-1).double().cumsum(dim=-1)  # (B, V)
    place = torch.rand((len(scores), 1), device=scores.device, dtype=torch.double) * total[:, -1:]
    return torch.searchsorted(total, place, right=True)[:, 0].clamp(max=scores.shape[1] - 1)


@contextlib.contextmanager
def evaluating(policy: Any) -> Iterator[None]:
    """The model without dropout and without gradient checkpointing, which would forbid its cache."""
    training, policy.config.use_cache = policy.training, True
    policy.eval()
    try:
        yield
    finally:
        policy.train(training)


@contextlib.contextmanager
def cast_once(accelerator: Any, policy: Any) -> Iterator[None]:
    """Under autocast, weights are cast for all tokens at once: its cache lasts as long as this context.

    The cache holds weights with ``requires_grad`` only, so those of a base under adapters get it meanwhile.
    """
    frozen = [one for one in policy.parameters() if one.is_floating_point() and not one.requires_grad]
    for one in frozen:
        one.requires_grad_(requires_grad=True)
    try:
        with accelerator.autocast():
            yield
    finally:
        for one in frozen:
            one.requires_grad_(requires_grad=False)


@contextlib.contextmanager
def without(policy: Any, names: Sequence[str]) -> Iterator[None]:
    """The model without modules that a method has put beside its own, such as PPO's critic."""
    held = {name: policy._modules.pop(name) for name in names}  # noqa: SLF001 (torch has no public way)
    try:
        yield
    finally:
        policy._modules.update(held)  # noqa: SLF001


class Elsewhere:
    """Answers of a runtime that gets the weights before every optimizer step."""

    def __init__(self, run: Run, method: Reinforced, model: ModelRef) -> None:
        self.run, self.method, self.model = run, method, model
        self.runtime = method.rollout_runtime(run.host)
        self.lm: Any = None
        self.step = -1
        self.asked = 0
        self._held = tempfile.TemporaryDirectory(prefix="ptx-rollout-", dir=self._room())

    def _room(self) -> Path | None:
        """Shared memory where twice the model fits, else the usual folder for temporary files."""
        known = SHARED_MEMORY.is_dir()
        return SHARED_MEMORY if known and disk_usage(SHARED_MEMORY).free > 2 * self.model.bytes else None

    def can(self, trainer: Any) -> bool:
        """Sampling there has no condition that could fail in the middle of a training."""
        return True

    def answers(self, trainer: Any, rows: Rows) -> tuple[list[list[int]], list[list[float]]]:
        """Sample an answer to each prompt, with the log-probability of each token under the sampler."""
        if self.lm is None or trainer.state.global_step != self.step:
            self.step = trainer.state.global_step
            self._send(trainer)
        self.asked += 1
        seed = hash((trainer.args.seed, trainer.state.global_step, self.asked))
        found = self.lm.sampled(rows, trainer.max_completion_length, trainer.temperature, seed)
        return [ids for ids, _ in found], [log_probs for _, log_probs in found]

    def _send(self, trainer: Any) -> None:
        """Give the runtime the present weights: in place where it can, else it is opened again."""
        policy = trainer.accelerator.unwrap_model(trainer.model)
        folder = Path(self._held.name) / "model"
        tokenizer = load_tokenizer(self.model.path)
        adapter = self.method.lora is not None and not self.runtime.exports
        with without(policy, getattr(trainer, "beside_policy", ())):
            if adapter:
                save_adapter(policy, tokenizer, folder, self.model)
            else:
                whole = merged(deepcopy(policy)) if self.method.lora is not None else policy
                save_model(whole, tokenizer, folder)
                del whole
        if self.lm is not None and hasattr(self.lm, "renew"):
            self.lm.renew(folder)
            return
        if self.lm is not None:
            self.lm.close()
        served = ModelRef.of(folder, "adapter" if adapter else "full")
        if self.runtime.exports:
            package = Path(self._held.name) / "package"
            rmtree(package, ignore_errors=True)  # that of the step before
            package.mkdir()
            served = self.run.host.first(
                "ptx_export",
                run=self.run.at(folder=package),
                runtime=self.runtime,
                model=served,
            )
        self.lm = self.run.host.first("ptx_load", runtime=self.runtime, model=served, device=self.run.device)
        if not hasattr(self.lm, "sampled"):
            raise StepError(
                f"method.rollout={self.method.rollout} cannot sample with log-probabilities; try"
                " method.rollout=hf"
            )

    def close(self) -> None:
        """Close the runtime and remove the weights."""
        if self.lm is not None:
            self.lm.close()
            self.lm = None
        self._held.cleanup()
