"""A folder's ``tokenizer.json`` as tokens are counted with it, without an ML library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME = "tokenizer.json"


def open_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer, which neither cuts nor fills up; None where the folder has another kind of file.

    Raises:
        ValueError: the file holds no tokenizer that the library can read, with the library's reason.
    """
    file = folder / NAME
    if not file.is_file():
        return None
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
