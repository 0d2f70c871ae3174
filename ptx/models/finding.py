"""A contradiction in a model folder, and the edits of its files that mend it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.errors import Problem

#: what a finding refuses
USE, TRAIN, COMPRESS, EXPORT = "use", "train", "compress", "export"
Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Finding:
    """Two places in a folder that disagree.

    Attributes:
        what: the two places and their values, and what comes of it.
        refuses: the uses that it spoils; empty for a note.
        edits: file -> the change that mends it; a change to None deletes the file. Empty where only the user
            can know what is right.
        fix: what to do where there are no edits.
        name: what it is waived by.
    """

    what: str
    refuses: tuple[str, ...] = ()
    edits: tuple[tuple[str, Edit | None], ...] = ()
    fix: str = ""
    name: str = "model-files"

    def problem(self, path: Path) -> Problem:
        """The finding as a problem of the folder ``path``, with the command that mends a copy."""
        return Problem(f"{path}: {self.what}", mend_command(path) if self.edits else self.fix, name=self.name)


def mend_command(path: Path) -> str:
    """The command that writes a mended copy of a folder."""
    word = str(path) if path.is_absolute() or str(path).startswith(("./", "../")) else f"./{path}"
    out = f"out=./{path.name or path.resolve().name}-mended"
    return f"type: ptx mend {shlex.quote(word)} {shlex.quote(out)}"


def put(**values: Any) -> Edit:
    """The edit that sets keys of a JSON object; None removes one."""

    def edit(held: dict[str, Any]) -> None:
        for name, value in values.items():
            if value is None:
                held.pop(name, None)
            else:
                held[name] = value

    return edit


def put_in_text(**values: Any) -> Edit:
    """The edit of config.json that sets keys of the language model, which a multimodal model nests."""

    def edit(held: dict[str, Any]) -> None:
        nested = held.get("text_config")
        put(**values)(nested if isinstance(nested, dict) else held)

    return edit
