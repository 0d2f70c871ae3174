"""Every step, export and evaluator on tiny random models of many architectures: ok, refused before, or fails.

    make matrix                                              all, then docs/reference/architectures.md
    python benchmarks/architectures/run.py --names llama --columns rtn,gptq --to build/architectures
    python benchmarks/architectures/run.py --page                      the page alone, from what is there

A cell is one ``ptx`` command on one model (``tests/architectures.py``), in one process per architecture,
with one thread. It is *ok* if the command ends well and its result holds up: a model folder is loaded with
plain ``from_pretrained``, must have every weight, and must predict finite numbers; the steps that keep the
function must predict what their input predicts. ptx's own checks (files and predictions after every
compressor, every export against transformers' own logits) are part of the command. *Refused before* is exit
code 2 with a reason, before any weight is loaded; what the reason says to add is then added and run, and what
it says to use instead must be ok on that architecture. Everything else *fails*.

What the machine was at fault for (a time limit, full memory or disk, an interruption, modules that are being
edited) is no result: such a cell is named, not kept, and run again by the same command.

Finished cells are kept in ``cells.jsonl`` with the commit, so the same command goes on where it was.
``--again`` runs them again; finished steps come from the store all the same, so take a fresh ``--to`` after
a change of code. A cell that is in no file keeps what the page says of it, so ``--names falcon`` and then
``--page`` bring one row up to date.
The export to OpenVINO needs an environment of its own: its column is run if $PTX_STEP_PYTHON names one
(plugins/ptx_openvino/requirements.txt).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from page import GROUPS, on_page, page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "architectures.md"
#: lines that are no reason: a plugin that concerns no cell, and what a slow plan says while it is made
OTHER = (" is not loaded: ", "ptx: reading the settings", "ptx: nothing has been heard of plugin")
LONGEST = 600  # characters of a reason
SAME = 1e-3  # nats per token, for steps that keep the function
LIMIT = "eval.perplexity.limit=4"  # llama.cpp scores one token per request
SHORT = ["method.max_steps=2", "method.batch_size=2", "data.limit=8"]
FEW = ["samples=4", "max_length=64"]


def compressor(name: str, *fields: str, few: bool = True) -> list[str]:
    """The words of a compression with some settings."""
    settings = [*(FEW if few else []), *fields]
    return ["compress", f"compress=[{name}]", "data=tiny", *(f"compress.{name}.{one}" for one in settings)]


THREAD = "threads=1"
#: column -> the words of its command, without the model
COLUMNS: dict[str, list[str]] = {
    "magnitude": compressor("magnitude", few=False),
    "sparsegpt": compressor("sparsegpt"),
    "wanda": compressor("wanda"),
    "rtn": compressor("rtn"),
    "gptq": compressor("gptq"),
    "awq": compressor("awq"),
    "smoothquant": compressor("smoothquant", "then=none"),
    "spinquant": compressor("spinquant", "then=none"),
    "autoround": compressor("autoround", "dtype=bfloat16", "iterations=4"),
    "mixed": compressor("mixed", "probes=2", "average_bits=4.5"),
    "quanto": compressor("quanto"),
    "depth": compressor("depth", "layers=1"),
    "width": compressor("width"),
    "sft": ["train", "method=sft", "data=tiny", *SHORT],
    "lora": ["train", "method=sft", "lora=lora", "data=tiny", *SHORT],
    "dpo": ["train", "method=dpo", "data=tiny_pairs", *SHORT],
    "kto": ["train", "method=kto", "data=tiny_thumbs", *SHORT],
    "perplexity": ["eval", "eval=[perplexity]", "data=tiny"],
    "divergence": ["compress", "compress=[magnitude]", "eval=[divergence]", "data=tiny"],
    "gguf": [
        "eval",
        "eval=[perplexity]",
        "data=tiny",
        "runtime=gguf",
        "runtime.type=f32",
        THREAD,
        LIMIT,
    ],
    "onnx": ["eval", "eval=[perplexity]", "data=tiny", "runtime=onnx", "runtime.precision=fp32", THREAD],
    "openvino": [
        "eval",
        "eval=[perplexity]",
        "data=tiny",
        "runtime=openvino",
        "runtime.precision=fp32",
        THREAD,
        LIMIT,
    ],
}
#: what a refusal says to add, and what it says to use instead
ADD = re.compile(r"\b(?:add|type|with) ((?:compress|method|runtime|data)[.\w]*=(?:\[[^\]]*\]|[^\s;,]+))")
INSTEAD = re.compile(r"\bcompress=\[(\w+)\]|\bruntime=(\w+)")
#: what says that the machine, not ptx, was at fault
HINDERED = re.compile(
    r"timed out|Timeout(?:Expired|Error)|No space left|Cannot allocate memory|MemoryError"
    r"|No module named 'ptx|cannot compose|ptx: interrupted|signal (?:9|15)\b"
)
KEEPS_FUNCTION = ("smoothquant", "spinquant")


class HinderedError(Exception):
    """The machine was at fault, so the cell says nothing about ptx."""


def cell(name: str, column: str, folder: Path, added: Sequence[str] = ()) -> dict[str, Any]:
    """Run one cell; the model of that name is built in ``folder`` if it is not there.

    Where a refusal says what to add, that is ``added``, and the cell is run again.

    Raises:
        HinderedError: the machine was at fault (with its words).
    """
    from ptx.cli import main
    from tests.architectures import build

    model = folder / "models" / name
    if not (model / "config.json").is_file():
        build(name, model)
    words = [*COLUMNS[column], f"model={model}", f"out={folder / 'out'}", f"name={name}-{column}", *added]
    words += [] if any(word.startswith("eval=") for word in words) else ["eval=[]"]
    said, began = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = main(words)
        except Exception as error:  # noqa: BLE001 (whatever it raises is what the cell shows)
            code, text = -1, f"failed: {type(error).__name__}: {error}"
            said.write(text)
    if code != 0 and (found := HINDERED.search(said.getvalue())):
        raise HinderedError(found[0])
    result = {"name": name, "column": column, "seconds": round(time.perf_counter() - began, 1)}
    result["commit"] = commit()
    if code == 2:
        why = reason(said.getvalue(), "ptx: ")
        kind = "fails" if " raised " in why else "refused before"  # a plugin's own error is no refusal
        if (more := ADD.findall(why)) and not added:
            follow = cell(name, column, folder, added=more)
            kind = kind if follow["result"] == "ok" else "fails"
            why += "" if follow["result"] == "ok" else f"; with that: {follow['why']}"
        return result | {"result": kind, "why": why}
    if code != 0:
        return result | {"result": "fails", "why": reason(said.getvalue(), "failed: ")}
    wrong = "" if column in GROUPS["Evaluation and export"] else fault(folder, name, column, model)
    return result | ({"result": "fails", "why": wrong} if wrong else {"result": "ok", "why": ""})


def reason(said: str, mark: str) -> str:
    """The line of the output that says what was wrong."""
    about = [line for line in said.splitlines() if mark in line and not any(one in line for one in OTHER)]
    lines = [line.partition(mark)[2] for line in about]
    lines = [re.sub(r"(/[\w.+-]+){2,}/", "", line) for line in lines]  # folders of this machine
    said = (lines or [said.strip()[-300:]])[0]
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 200]} ... {said[-200:]}"


@functools.cache
def commit() -> str:
    """The commit of this tree; with a + where it has changes."""
    file = ROOT / "COMMIT"
    if file.is_file():
        return file.read_text(encoding="utf-8").strip()
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def works_with(cell: Mapping[str, Any]) -> bool:
    """Whether a step is refused with something to add, with which it was run and works."""
    return cell["result"] == "refused before" and bool(ADD.search(cell["why"]))


def bad_advice(cells: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    """Yield the refused cells whose advice is refused too, or fails, on that architecture."""
    for (name, column), found in cells.items():
        if found["result"] != "refused before" or ADD.search(found["why"]):
            continue
        said = found["why"].rpartition("; ")[2]
        columns = ["perplexity" if other == "hf" else one or other for one, other in INSTEAD.findall(said)]
        tried = [cells[name, one] for one in columns if (name, one) in cells and one != column]
        if tried and not any(one["result"] == "ok" or works_with(one) for one in tried):
            yield f"{name} {column}: {said}"


def fault(folder: Path, name: str, column: str, model: Path) -> str:
    """What plain transformers finds wrong with the model that a cell made; empty if nothing."""
    import torch
    from transformers import AutoModelForCausalLM

    from ptx.lm.quanto import is_packed

    made = sorted((folder / "out").glob(f"runs/{name}-{column}/*/model"))
    if not made:
        return "the run has no model folder"
    if is_packed(made[0]):
        return ""  # plain transformers does not read these; ptx has
    network, found = AutoModelForCausalLM.from_pretrained(made[0], output_loading_info=True)
    if found["missing_keys"]:
        return f"weights are missing: {', '.join(sorted(found['missing_keys'])[:3])}"
    rows = torch.randint(3, 700, (2, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        after = network.eval()(rows).logits.float().log_softmax(-1)
        if not bool(torch.isfinite(after).all()):
            return "its predictions are not finite"
        if column in KEEPS_FUNCTION:
            before = AutoModelForCausalLM.from_pretrained(model).eval()(rows).logits.float().log_softmax(-1)
            if not (moved := float((before.exp() * (before - after)).sum(-1).mean())) <= SAME:
                return f"it moved by {moved:.3g} nats per token"
    return ""


def finished(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The cells that are there, the last of each."""
    file = folder / "cells.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {(row["name"], row["column"]): row for row in map(json.loads, lines)}


def run_one(name: str, columns: list[str], folder: Path) -> None:
    """Run the cells of one architecture in this process; each is written when it is finished."""
    os.environ.update({"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"})
    sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
    for column in columns:
        try:
            row = cell(name, column, folder)
        except HinderedError as error:
            print(f"{name:16} {column:12} not kept: {error}", flush=True)
            if "interrupted" in str(error):
                return
            continue
        with (folder / "cells.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(
            f"{name:16} {column:12} {row['result']:15} {row['seconds']:6.1f} s  {row['why'][:120]}",
            flush=True,
        )


def main() -> int:
    """Run what is missing, print a line per cell, write the page; exit code 1 if a cell fails."""
    sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
    from tests.architectures import ARCHITECTURES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", default=",".join(ARCHITECTURES), help="architectures, with commas")
    parser.add_argument("--columns", default=",".join(COLUMNS), help="columns, with commas")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "architectures", help="working folder")
    parser.add_argument("--again", action="store_true", help="run finished cells again")
    parser.add_argument("--page", action="store_true", help="only write the page, from the finished cells")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not os.environ.get("PTX_STEP_PYTHON"):
        print("openvino is left out: PTX_STEP_PYTHON names no environment for its export")
        given.columns = ",".join(one for one in given.columns.split(",") if one != "openvino")
    names, columns, folder = given.names.split(","), given.columns.split(","), given.to.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if given.one:
        run_one(names[0], columns, folder)
        return 0
    for name in [] if given.page else names:
        there = {} if given.again else finished(folder)
        if missing := [column for column in columns if (name, column) not in there]:
            words = ["--one", "--names", name, "--columns", ",".join(missing), "--to", str(folder)]
            subprocess.run([sys.executable, __file__, *words], check=False)
    cells = finished(folder)
    if given.page or set(names) == set(ARCHITECTURES):
        told = on_page(PAGE.read_text(encoding="utf-8")) if PAGE.is_file() else {}
        PAGE.write_text(page(told | cells, [*ARCHITECTURES]), encoding="utf-8")
    counts = {
        kind: sum(one["result"] == kind for one in cells.values())
        for kind in ("ok", "refused before", "fails")
    }
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    for line in (wrong := list(bad_advice(cells))):
        print(f"its advice does not work: {line}")
    return 1 if counts["fails"] or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
