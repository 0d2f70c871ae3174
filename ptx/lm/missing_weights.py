"""A model folder that has a config.json and not the weights that it describes: ``from_pretrained`` would draw
them all at random, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ptx.errors import StepError
from ptx.lm.quanto import flat_name
from ptx.models.inspection import tensors_of, weight_files


def refuse_missing_weights(folder: Path) -> None:
    """Refuse a folder that lacks the weights of more than half of its modules, before memory is taken for
    them.

    Told by modules on the meta device, since packed weights bear other names and checkpoints may leave out a
    prefix.

    Raises:
        StepError: they are not there.
    """
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    files = weight_files(folder)
    if not files:
        return  # from_pretrained will say so
    try:
        with init_empty_weights():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            described: Any = AutoModelForCausalLM.from_config(config)
        there = _modules(name for file in files for name, _, _ in tensors_of(file))
    except (OSError, ValueError, RuntimeError, KeyError):
        return  # from_pretrained will say what is wrong
    wanted = _modules(name for name, _ in described.named_parameters())
    if len(wanted - there) > len(wanted) / 2:
        raise StepError(
            f"{folder} holds no model: its config.json describes {len(wanted)} modules, and"
            f" {len(wanted - there)} of them have no weights on disk, first {min(wanted - there)}"
        )


def _modules(tensors: Iterable[str]) -> set[str]:
    """The modules that tensors belong to, by the last three parts of their names."""
    return {".".join(flat_name(name).split(".")[-4:-1]) for name in tensors}
