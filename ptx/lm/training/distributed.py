"""Several processes (ranks) training one model together: below torchrun or ``accelerate launch``, which tell
each its rank.

``method.batch_size`` is what all ranks see in one optimizer step, so the losses are those of one process:
TRL's trainer deals the batches of the same seeded order out to the ranks and averages their gradients. Sums
are taken in another order, so the last digits differ. Runs here on the CPU over gloo; sharded models (FSDP2,
ZeRO) need GPUs, and no test runs them.
"""

from __future__ import annotations

import os
from typing import Any

from ptx.config import RunConfig
from ptx.errors import Problem
from ptx.hooks.run import Run
from ptx.lm.training.method import TrlMethod
from ptx.machine import visible_gpus


def ranks() -> int:
    """How many processes train together with this one, which is counted."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_rank() -> bool:
    """Whether this process is the one that writes: rank 0, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def assign_gpu(run: Run) -> None:
    """Give this rank its GPU, before the first model is loaded; a process that trains alone sees one GPU."""
    if "ACCELERATE_MIXED_PRECISION" in os.environ:
        os.environ["ACCELERATE_MIXED_PRECISION"] = (
            "no"  # method.dtype decides, and goes into the trainer's arguments
        )
    if run.device != "cuda":
        return
    if ranks() == 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = (visible_gpus() or ["0"])[
            0
        ]  # TRL refuses to train in a process that sees several
        return
    import torch

    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def rank_problems(config: RunConfig) -> list[Problem]:
    """What is wrong with ``launch=`` for a TRL method, before anything starts."""
    method, launch = config.method, config.launch
    if launch is None or not isinstance(method, TrlMethod):
        return []
    found, count = [], launch.ranks
    if method.batch_size % count:
        fitting = max(method.batch_size // count, 1) * count
        what = (
            f"method.batch_size={method.batch_size} is shared by launch.processes={count} and cannot be"
            " divided among them"
        )
        found.append(Problem(what, f"try method.batch_size={fitting}", fields=("method.batch_size",)))
    elif method.micro_batch and (method.batch_size // count) % min(
        method.micro_batch, method.batch_size // count
    ):
        what = (
            f"method.micro_batch={method.micro_batch} does not divide each rank's"
            f" {method.batch_size // count} examples"
        )
        found.append(
            Problem(
                what, f"try method.micro_batch={method.batch_size // count}", fields=("method.micro_batch",)
            )
        )
    if launch.shards and getattr(method, "cache_reference", False):
        what = "the reference is scored before the training by one rank, which has only a shard of the model"
        found.append(
            Problem(
                f"method.cache_reference=true: {what}",
                "method.cache_reference=false",
                fields=("method.cache_reference",),
            )
        )
    return found


def is_sharded(trainer: Any) -> bool:
    """Whether no rank has the whole model: FSDP, or ZeRO's third stage."""
    accelerator = trainer.accelerator
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    return str(accelerator.distributed_type).endswith("FSDP") or (
        plugin is not None and plugin.zero_stage == 3
    )


def gather_state(trainer: Any) -> dict[str, Any]:
    """All weights of a sharded model, on rank 0 and on the CPU. Every rank must call it. Needs GPUs."""
    state: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_deepspeed_enabled:
        from transformers.integrations.deepspeed import unset_hf_deepspeed_config

        unset_hf_deepspeed_config()  # what is loaded from here on is loaded whole
    return state
