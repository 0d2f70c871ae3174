"""A folder's ``tokenizer.json`` as tokens are counted with it, without an ML library."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.guard.reading import MOST_DATA, read_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME = "tokenizer.json"
#: a BPE model whose tokens are marked so inside of words
PREFIX = re.compile(r'"continuing_subword_prefix"\s*:\s*"[^"]')


def open_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer, which neither cuts nor fills up; None where the folder has another kind of file.

    Raises:
        ValueError: the file holds no tokenizer that the library can read, with the library's reason.
    """
    file = folder / NAME
    if not file.is_file():
        return None
    _check_merges(file)
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 (a panic of Rust code is no Exception)
        raise ValueError(str(error)) from None
    tokenizer.no_padding()  # the file may say that a batch is filled up, or cut, to one length
    tokenizer.no_truncation()
    return tokenizer


def _check_merges(file: Path) -> None:
    """Raise where the library would end the process: it cuts the prefix off the second part of each merge."""
    text = read_text(file, MOST_DATA)
    if not PREFIX.search(text):
        return
    try:
        model: Any = json.loads(text)["model"]
        prefix, merges = model["continuing_subword_prefix"], model.get("merges") or []
        seconds = [merge.split(" ")[-1] if isinstance(merge, str) else merge[-1] for merge in merges]
        odd = next((second for second in seconds if not second.startswith(prefix)), None)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return  # the library says what is wrong
    if odd is not None:
        raise ValueError(f"the merge into {odd!r:.40} lacks the continuing_subword_prefix {prefix!r:.40}")
