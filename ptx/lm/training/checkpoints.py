"""The checkpoints of a training: sealed when they are complete, checked before the training resumes from one.

A checkpoint without a seal was being written when the process died. One that its seal contradicts (a cut
file, a flipped bit, a pickle that would run code) is put aside, and the one before is taken: a training must
not fail for ever because of a file that it can do without.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ptx.hooks.run import Run
from ptx.lm.seal import SEAL, damage, seal_folder
from ptx.lm.training.distributed import is_main_rank

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

#: what ``torch.load`` raises for a file that is cut, is none of torch's, or holds something else than tensors
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)


class Sealing(TrainerCallback):  # type: ignore[misc]
    """Seals each checkpoint when all ranks have written their part of it."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Seal the checkpoint of this step."""
        from torch import distributed

        if distributed.is_available() and distributed.is_initialized():
            distributed.barrier()
        if state.is_world_process_zero:
            seal_folder(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def usable_checkpoint(run: Run) -> Path | None:
    """The newest checkpoint that is complete and as it was written; damaged ones are put aside, and said."""
    for checkpoint in _newest_first(run.checkpoints):
        fault = fault_of(checkpoint)
        if not fault:
            run.say(f"resuming from step {_step(checkpoint)}")
            return checkpoint
        if is_main_rank():
            aside = _put_aside(run, checkpoint, fault)
            run.say(f"the checkpoint of step {_step(checkpoint)} is damaged ({fault}); it is kept in {aside}")
    return None


def _newest_first(folder: Path) -> Iterator[Path]:
    """The finished checkpoints."""
    found = [
        path
        for path in folder.glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdigit() and (path / SEAL).is_file()
    ]
    yield from sorted(found, key=_step, reverse=True)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def fault_of(checkpoint: Path) -> str:
    """What is wrong with a checkpoint; empty when a training can resume from it."""
    return damage(checkpoint / SEAL) or next(
        (
            f"{file.name} holds something else than tensors and numbers"
            for file in sorted([*checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")])
            if not _is_harmless(file)
        ),
        "",
    )


def _is_harmless(file: Path) -> bool:
    """Whether torch reads the file without running any code in it. Its tensors are not read."""
    import torch
    from transformers.trainer_pt_utils import safe_globals

    try:
        with safe_globals():
            torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except UNREADABLE:
        return False
    return True


def _put_aside(run: Run, checkpoint: Path, fault: str) -> Path:
    """Move a damaged checkpoint to the quarantine of the store; without a store, to a name beside it."""
    if run.store is not None:
        moved: Path = run.store.quarantine(checkpoint, fault)
        return moved
    aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
    number = 0
    while aside.exists():
        number += 1
        aside = checkpoint.with_name(f"damaged-{checkpoint.name}-{number}")
    return checkpoint.rename(aside)
