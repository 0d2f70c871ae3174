"""Tokenised rows as a by-product in the store: runs that differ in their training alone share them.

``datasets`` has a cache of its own for ``map``, but none for rows that come from memory, as these do. Rows
are kept where they are many; few are tokenised in less time than an entry of the store takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import machine
from ptx.files import digest_of
from ptx.hooks.run import Run
from ptx.lm.training.distributed import ranks

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

NAME = "tokens"
VERSION = 1  # another one where ptx.lm.training.tokens makes other tokens
#: rows from which on they are kept: one to two seconds of tokenising
WORTH = 2000
LIBRARIES = ("datasets", "jinja2", "tokenizers", "transformers", "trl")
#: TRL's trainer -> what its ``_prepare_dataset`` reads of its arguments and of itself
READ = {
    "DPOTrainer": ("max_length", "truncation_mode"),
    "KTOTrainer": (
        *("max_length", "per_device_train_batch_size"),
        *("desirable_weight", "undesirable_weight", "calculate_KL"),
    ),
    "RewardTrainer": ("max_length",),
}


def stored_tokens(
    run: Run,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Any] | Dataset,
    facts: dict[str, Any],
    make: Callable[[], Dataset],
) -> Dataset:
    """What ``make`` returns for ``rows``, from the store where it has been made before.

    Args:
        run: the current run.
        tokenizer: the tokenizer that ``make`` uses.
        rows: the rows before they are tokenised, as plain data or as a Dataset of it.
        facts: what else decides the result.
        make: tokenises the rows.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # TRL's own preparation is a meeting of all ranks, so no rank may wait for another's entry
    if len(rows) < WORTH or backend is None or ranks() > 1:
        return make()
    from datasets import load_from_disk

    ingredients = {
        "version": VERSION,
        "rows": digest_of(rows[:]),
        "tokenizer": digest_of([_without_state(backend.to_str()), tokenizer.special_tokens_map]),
        "template": digest_of(tokenizer.chat_template),
        "libraries": machine.versions(LIBRARIES),
        **facts,
    }
    folder = run.product(NAME, ingredients, lambda folder: _save(run, make(), folder / "rows"))
    # in memory: what is mapped later would be cached beside the files of the store
    return load_from_disk(folder / "rows", keep_in_memory=True)


def _without_state(tokenizer: str) -> dict[str, Any]:
    """A tokenizer.json without what the last call left in it."""
    found: dict[str, Any] = json.loads(tokenizer)
    return {name: value for name, value in found.items() if name not in ("truncation", "padding")}


def _save(run: Run, made: Dataset, folder: Path) -> None:
    made.save_to_disk(folder)
    run.say(f"{len(made)} rows are tokenised, once for all runs that share them")


def with_stored_tokens(run: Run, kind: Any) -> Any:
    """The class ``kind`` of TRL, whose rows are tokenised once; itself where it tokenises none.

    SFT's rows are tokenised by ptx (:mod:`ptx.lm.training.tokens`).
    """
    base = next((one.__name__ for one in getattr(kind, "__mro__", ()) if one.__name__ in READ), "")
    if not base:
        return kind

    class Stored(kind):  # type: ignore[misc]
        """The trainer, with its tokenised rows in the store."""

        def _prepare_dataset(
            self, dataset: Dataset, processing_class: PreTrainedTokenizerBase, args: Any, split: str
        ) -> Dataset:
            prepare = super()._prepare_dataset
            facts = {name: getattr(args if hasattr(args, name) else self, name) for name in READ[base]}
            return stored_tokens(
                run,
                processing_class,
                dataset,
                facts | {"trainer": base},
                lambda: prepare(dataset, processing_class, args, split),
            )

    Stored.__name__ = kind.__name__
    return Stored
