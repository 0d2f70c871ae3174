"""Detect a model folder whose config.json describes weights that the folder does not have.

``from_pretrained`` would initialise them at random and only warn.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ptx.errors import StepError
from ptx.lm.quanto import flat_name
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def refuse_missing_weights(folder: Path) -> None:
    """Refuse a folder that lacks the weights of more than half of its modules, before memory is allocated.

    The comparison is by module, with the model on the meta device, because packed weights have other names
    and checkpoints may omit a prefix.

    Raises:
        StepError: the weights are missing.
    """
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    files = weight_files(folder)
    if not files:
        return  # from_pretrained will report it
    try:
        with init_empty_weights():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            described: PreTrainedModel = AutoModelForCausalLM.from_config(config)
        stored = _modules(name for file in files for name, _, _ in tensors_of(file))
    except (OSError, ValueError, RuntimeError, KeyError):
        return  # from_pretrained will report the error
    wanted = _modules(name for name, _ in described.named_parameters())
    if len(wanted - stored) > len(wanted) / 2:
        raise StepError(
            f"{folder} holds no model: its config.json describes {len(wanted)} modules, and"
            f" {len(wanted - stored)} of them have no weights on disk, first {min(wanted - stored)}"
        )


def _modules(tensors: Iterable[str]) -> set[str]:
    """The modules of the named tensors, each by the last three parts of its name."""
    return {".".join(flat_name(name).split(".")[-4:-1]) for name in tensors}
