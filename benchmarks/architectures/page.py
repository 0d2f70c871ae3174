"""The page of the documentation that shows the cells, and the cells that such a page shows."""

from __future__ import annotations

import re
from datetime import date
from importlib.metadata import version
from typing import Any

LIBRARIES = ("torch", "transformers", "trl", "peft", "llmcompressor", "onnxruntime-genai", "gguf")
INTRODUCTION = """\
# Architectures

*Written by `make matrix` on {day} (cells from {commits}), with {used};
edit the script `benchmarks/architectures/run.py`, not this page.*

What works on which architecture, tried on tiny random models. **ok**: the command ends well, plain
transformers loads the result whole, and its predictions are finite; steps that keep the function predict what
their input predicts. **-** and a number: refused before anything is loaded, for the reason below. **fails**:
everything else.

"""
GROUPS = {
    "Pruning": ("magnitude", "sparsegpt", "wanda", "depth", "width"),
    "Quantisation": ("rtn", "gptq", "awq", "smoothquant", "spinquant", "autoround", "mixed", "quanto"),
    "Training": ("sft", "lora", "dpo", "kto"),
    "Evaluation and export": ("perplexity", "divergence", "gguf", "onnx", "openvino"),
}
HEAD = re.compile(r"^\| \| (.*) \|$")
ROW = re.compile(r"^\| (\w+) \| (.*) \|$")
CELL = re.compile(r"^(-|\*\*fails\*\*) (\d+)$")
KINDS = {"-": "refused before", "**fails**": "fails"}


def on_page(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The cells of a page, with the commits that it names; of a new row there are none."""
    whys = dict(re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE))
    commits = re.search(r"\(cells from ([^)]*)\)", text)
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    columns: list[str] = []
    for line in text.splitlines():
        if head := HEAD.match(line):
            columns = head[1].split(" | ")
        elif row := ROW.match(line):
            for column, said in zip(columns, row[2].split(" | "), strict=True):
                found = CELL.match(said)
                result = KINDS[found[1]] if found else said
                why = re.sub(r"\bMODEL\b", row[1], whys[found[2]]) if found else ""
                cells[row[1], column] = {
                    "result": result,
                    "why": why,
                    "commit": commits[1] if commits else "",
                }
    return {key: one for key, one in cells.items() if one["result"] != "not tried"}


def page(cells: dict[tuple[str, str], dict[str, Any]], names: list[str]) -> str:
    """The page of the documentation."""
    used = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    said = [one.get("commit", "before") for one in cells.values()]
    commits = ", ".join(dict.fromkeys(one for several in said for one in several.split(", ")))
    day = date.today().isoformat()  # noqa: DTZ011
    lines = INTRODUCTION.format(day=day, used=used, commits=commits).splitlines()
    reasons: dict[str, int] = {}
    for title, columns in GROUPS.items():
        tried = [column for column in columns if any((name, column) in cells for name in names)]
        if not tried:
            continue
        lines += [f"## {title}", "", f"| | {' | '.join(tried)} |", f"|---|{'---|' * len(tried)}"]
        for name in names:
            row = [shown(cells.get((name, column)), name, reasons) for column in tried]
            lines.append(f"| {name} | {' | '.join(row)} |")
        lines.append("")
    lines += ["## Why", "", *(f"{number}. {why}" for why, number in reasons.items()), ""]
    return "\n".join(lines)


def shown(found: dict[str, Any] | None, name: str, reasons: dict[str, int]) -> str:
    """A cell as the page shows it; its reason is numbered."""
    if found is None:
        return "not tried"
    if found["result"] == "ok":
        return "ok"
    why = re.sub(rf"\b{re.escape(name)}\b(?![._])", "MODEL", found["why"].replace("|", "/"))
    number = reasons.setdefault(why, len(reasons) + 1)
    return f"{'-' if found['result'] == 'refused before' else '**fails**'} {number}"
