"""Several processes (ranks) that train one model together, started by torchrun or ``accelerate launch``.

``method.batch_size`` counts the examples of all ranks in one optimizer step, so the losses equal those of one
process: TRL's trainer distributes the batches of the same seeded order over the ranks and averages their
gradients. The sums are computed in another order, so the last digits differ. Tests run this on the CPU over
gloo; sharded models (FSDP2, ZeRO) need GPUs, and no test runs them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ptx.config import RunConfig
from ptx.errors import Problem
from ptx.hooks.run import Run
from ptx.lm.training.method import TrlMethod
from ptx.machine import visible_gpus

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Trainer


def ranks() -> int:
    """The number of processes that train together, including this one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_rank() -> bool:
    """Whether this process writes the results: rank 0, or the only process."""
    return os.environ.get("RANK", "0") == "0"


def assign_gpu(run: Run) -> None:
    """Give this rank its GPU before the first model is loaded; a single process gets one visible GPU."""
    if "ACCELERATE_MIXED_PRECISION" in os.environ:
        # method.dtype decides instead, through the trainer's arguments
        os.environ["ACCELERATE_MIXED_PRECISION"] = "no"
    if run.device != "cuda":
        return
    if ranks() == 1:
        # TRL refuses to train in a single process that sees several GPUs
        os.environ["CUDA_VISIBLE_DEVICES"] = (visible_gpus() or ["0"])[0]
        return
    import torch

    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def rank_problems(config: RunConfig) -> list[Problem]:
    """The problems of ``launch=`` with a TRL method, found before anything starts."""
    method, launch = config.method, config.launch
    if launch is None or not isinstance(method, TrlMethod):
        return []
    found, count = [], launch.ranks
    if method.batch_size % count:
        fitting = max(method.batch_size // count, 1) * count
        what = (
            f"method.batch_size={method.batch_size} is shared by launch.processes={count} and cannot be"
            " divided evenly among them"
        )
        found.append(Problem(what, f"try method.batch_size={fitting}", fields=("method.batch_size",)))
    elif isinstance(method.micro_batch, int) and (method.batch_size // count) % min(
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
        what = "one rank computes the reference before the training, and it has only a shard of the model"
        found.append(
            Problem(
                f"method.cache_reference=true: {what}",
                "method.cache_reference=false",
                fields=("method.cache_reference",),
            )
        )
    return found


def is_sharded(trainer: Trainer) -> bool:
    """Whether each rank holds only a part of the model: FSDP, or ZeRO stage 3."""
    accelerator = trainer.accelerator
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    return str(accelerator.distributed_type).endswith("FSDP") or (
        plugin is not None and plugin.zero_stage == 3
    )


def gather_state(trainer: Trainer) -> dict[str, Tensor]:
    """All weights of a sharded model, on the CPU of rank 0; every rank must call it. Needs GPUs."""
    state: dict[str, Tensor] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_deepspeed_enabled:
        from transformers.integrations.deepspeed import unset_hf_deepspeed_config

        unset_hf_deepspeed_config()  # models that are loaded from here on are not sharded
    return state
