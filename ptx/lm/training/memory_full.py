"""What happens when memory is full during training: what was learnt is kept, and the step can go on smaller.

An optimizer step that ran out of memory has changed no weight: the forward or backward pass failed, or the
first step's moments found no room, which torch makes before it updates anything. So the weights, the moments
and the schedule are those of the last complete step. They are written as a checkpoint, as at any other time,
and the training resumes from it (:mod:`ptx.execute.fitting`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import MemoryFullError, StepError
from ptx.lm.seal import SEAL, seal_folder
from ptx.lm.serving.batching import is_memory_full
from ptx.lm.training.distributed import ranks
from ptx.lm.training.method import TrlMethod

if TYPE_CHECKING:
    from transformers import Trainer


@contextmanager
def progress_kept(trainer: Trainer, method: TrlMethod, device: str) -> Iterator[None]:
    """Write a checkpoint of the last complete step when memory is full.

    Raises:
        MemoryFullError: memory is full, and a smaller micro-batch can go on.
        StepError: it is full, and the micro-batch was typed, is 1, or is that of several ranks.
    """
    try:
        yield
    except Exception as error:
        if not is_memory_full(error):
            raise
        what = f"the {'GPU' if device == 'cuda' else 'machine'}'s memory is full"
        if method.smaller() is None or ranks() > 1:
            raise StepError(f"{what}; {advice(method)}") from error
        traceback.clear_frames(error.__traceback__)  # they hold the activations of the pass that failed
        _write_checkpoint(trainer)
        # the error is not chained: its frames would keep the model
        raise MemoryFullError(f"{what} at step {trainer.state.global_step + 1}") from None


def advice(method: TrlMethod) -> str:
    """What to type when memory is full."""
    smaller = max(method.shares()[0] // 2, 1)
    tries = [f"method.micro_batch={smaller}"] if smaller < method.shares()[0] else []
    tries += ["lora=lora"] if method.lora is None else []
    return f"try {', '.join([*tries, 'or a shorter method.max_length'])}"


def _write_checkpoint(trainer: Any) -> None:
    """Write and seal the checkpoint of the last complete step, unless it is there or there was none."""
    step = trainer.state.global_step
    folder = Path(trainer.args.output_dir) / f"checkpoint-{step}"
    if step and not (folder / SEAL).is_file():
        trainer.model.zero_grad(set_to_none=True)
        trainer._save_checkpoint(trainer.model, trial=None)  # noqa: SLF001 (transformers has no public name)
        seal_folder(folder)
