"""Execute docs/how-to/python.ipynb and write its outputs into it; no Jupyter is needed.

``python docs/make_notebook.py`` runs the code cells in one namespace, in an empty folder. What a cell prints,
and the value of its last line, become its outputs, as Jupyter would show them. The folder is named ``.`` in
them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent / "how-to" / "python.ipynb"


def executed(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The notebook with the outputs of its cells, which run in ``folder``."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        cells = [
            cell | {"outputs": outputs_of("".join(cell["source"]), namespace), "execution_count": number}
            if cell["cell_type"] == "code"
            else cell
            for number, cell in enumerate(notebook["cells"])
        ]
    finally:
        os.chdir(before)
    text = json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False)
    made: dict[str, Any] = json.loads(text.replace(str(folder.resolve()), "."))
    return made


def outputs_of(source: str, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Execute a cell; returns its outputs in the notebook's format."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)  # noqa: S102 (the notebook is ours)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)  # noqa: S307
    found: list[dict[str, Any]] = []
    if printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())})
    if value is not None:
        found.append(
            {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": data_of(value)}
        )
    return found


def data_of(value: Any) -> dict[str, list[str]]:
    """A value as a notebook shows it: as HTML, with its type as text, or as text where it has none."""
    if hasattr(value, "_repr_html_") and (html := value._repr_html_()):
        return {"text/plain": [f"<{type(value).__name__}>"], "text/html": lines(html)}
    return {"text/plain": lines(repr(value))}


def lines(text: str) -> list[str]:
    """The lines of a text, as notebooks keep them."""
    return text.splitlines(keepends=True)


def main() -> None:
    """Write the notebook again."""
    with tempfile.TemporaryDirectory() as folder:
        made = executed(json.loads(NOTEBOOK.read_text(encoding="utf-8")), Path(folder))
    NOTEBOOK.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
