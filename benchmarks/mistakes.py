"""Deliberate data mistakes: what ``ptx check`` says beside what raw TRL does with the same files.

    python benchmarks/mistakes.py --out docs/explanation/data-mistakes.md

TRL trains one step on each file of the suite (tests/ptx/cli/check/mistakes.py) with the embedded model:
it *trains in silence*, *warns* (a line that sound data does not bring) or *raises*. The file is read as a
user of TRL would read it, with ``datasets``. Cases about a method's own settings give TRL its own defaults.
GRPO is left out: TRL's needs a reward function that the user writes.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import ptx_tiny  # noqa: E402
from ptx.cli.check import main as check  # noqa: E402
from ptx.errors import ConfigError  # noqa: E402
from tests.ptx.cli.check import mistakes  # noqa: E402
from tests.ptx.cli.check.mistakes import Case  # noqa: E402

TINY = Path(ptx_tiny.__file__).parent / "model"
GROUPS = {
    "what is learnt": mistakes.LEARNT,
    "what is lost": mistakes.LOST,
    "what is malformed": mistakes.MALFORMED,
    "what contradicts": mistakes.CONTRADICTS,
    "what cannot be rewarded, or is known": mistakes.REWARDED,
}
#: what libraries say of every training, whatever the data
ALWAYS = ("pin_memory", "use_cache", "loss_type", "has a padding", "pad_token", "deprecated", "experimental")
SILENT, WARNS, RAISES, NONE = "trains in silence", "warns", "raises", "—"


def prepared(case: Case, folder: Path) -> str:
    """Write the files of a case; the model that it is tried on."""
    for name, content in ((case.file, case.content), *case.beside):
        (folder / name).write_bytes(content)
    if not (case.edit or case.generation):
        return str(TINY)
    shutil.copytree(TINY, folder / "model")
    if case.edit:
        file = folder / "model/chat_template.jinja"
        file.write_text(case.edit(file.read_text()))
    if case.generation:
        file = folder / "model/generation_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **case.generation}))
    return str(folder / "model")


def by_ptx(case: Case, model: str) -> str:
    """What ``ptx check`` does: stops or warns, and the name of the finding."""
    said = io.StringIO()
    words = [f"data=./{case.file}", f"model={model}", *([f"method={case.method}"] if case.method else [])]
    try:
        with contextlib.redirect_stdout(said):
            check("check", [*words, *case.words, "--json"])
        findings = json.loads(said.getvalue())["findings"]
    except ConfigError as error:
        findings = [{"name": one.name, "severity": "stops"} for one in error.problems]
    found = any((one["name"], one["severity"]) == (case.name, case.severity) for one in findings)
    if not found:
        return "**nothing**"
    return f"{case.severity} (`{case.name}`)" if case.name else case.severity


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Every warning and log line from WARNING on."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    ear = Ear(logging.WARNING)
    names = ["", "trl", "transformers", "datasets", "accelerate"]
    for name in names:
        logging.getLogger(name).addHandler(ear)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lines
        lines += [str(one.message) for one in caught]
    for name in names:
        logging.getLogger(name).removeHandler(ear)


def by_trl(case: Case, model: str, usual: set[str]) -> tuple[str, str]:
    """What raw TRL does, and what it said; ``usual`` is said of sound data too."""
    if case.method not in ("sft", "dpo", "kto"):
        return NONE, ""
    with heard() as lines, contextlib.redirect_stdout(io.StringIO()):
        try:
            train(case, model)
        except Exception as error:  # noqa: BLE001 (whatever it raises is the answer)
            return (
                RAISES,
                f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}",
            )
    said = [
        line
        for line in dict.fromkeys(lines)
        if line not in usual and not any(word in line for word in ALWAYS)
    ]
    usual |= set(lines) if not case.name and not case.severity else set()
    return (WARNS, said[0]) if said else (SILENT, "")


def train(case: Case, model: str) -> None:
    """One step by TRL's trainer of the method."""
    import datasets
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kind = {".csv": "csv", ".txt": "text"}.get(Path(case.file).suffix, "json")
    rows = datasets.load_dataset(kind, data_files=case.file, split="train", cache_dir="cache")
    names = {"sft": "SFT", "dpo": "DPO", "kto": "KTO"}
    config: Any = getattr(trl, f"{names[case.method]}Config")
    trainer: Any = getattr(trl, f"{names[case.method]}Trainer")
    given = {"assistant_only_loss": True} if case.method == "sft" and "messages" in rows.column_names else {}
    if any("max_length=128" in word for word in case.words):
        given["max_length"] = 128
    args = config(
        "out",
        max_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        **given,
    )
    trainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=args,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(model),
    ).train()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=ROOT / "docs/explanation/data-mistakes.md")
    options.add_argument("--only", default="", help="cases whose name holds this")
    given = options.parse_args()
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_DATASETS_OFFLINE="1")
    usual: set[str] = set()
    for shape, method in (("messages", "sft"), ("completions", "sft"), ("pairs", "dpo"), ("thumbs", "kto")):
        tried(Case("", "", mistakes.among(shape), method=method), usual)
    lines, counts = [], Counter[tuple[str, str]]()
    for group, cases in GROUPS.items():
        lines += [
            f"## {group[0].upper()}{group[1:]}",
            "",
            "| mistake | ptx | raw TRL | what TRL says |",
            "| --- | --- | --- | --- |",
        ]
        for name, case in cases.items():
            if given.only not in name:
                continue
            ours, theirs, said = tried(case, usual)
            counts[("ptx", ours.partition(" ")[0])] += 1
            counts[("TRL", theirs)] += 1
            lines.append(f"| {name} | {ours} | {theirs} | {cell(said)} |")
            print(lines[-1], file=sys.stderr, flush=True)
        lines.append("")
    given.out.write_text("\n".join([*head(counts), *lines]).rstrip() + "\n", encoding="utf-8")


def cell(text: str) -> str:
    short = text.splitlines()[0][:110] if text else ""
    return short.replace("|", "\\|").replace("<", "&lt;").replace(str(ROOT), ".")


def tried(case: Case, usual: set[str]) -> tuple[str, str, str]:
    """ptx, raw TRL and its words on one case, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        model = prepared(case, Path(folder))
        return by_ptx(case, model) if case.name or case.severity else "", *by_trl(case, model, usual)


def head(counts: Counter[tuple[str, str]]) -> list[str]:
    total = sum(number for (who, _), number in counts.items() if who == "ptx")
    tried_ = total - counts["TRL", NONE]
    day = dt.datetime.now(tz=dt.UTC).date()
    made = (
        f"*Generated by `python benchmarks/mistakes.py` on {day}: TRL {version('trl')}, transformers"
        f" {version('transformers')}, datasets {version('datasets')}; one step on the embedded model.*"
    )
    told = (
        f"Of {total} deliberate mistakes ptx stops {counts['ptx', 'stops']} and warns of"
        f" {counts['ptx', 'warns']}, before a weight is loaded. Raw TRL was given {tried_} of the same files:"
        f" it trains in silence on {counts['TRL', SILENT]}, warns of {counts['TRL', WARNS]} and raises on"
        f" {counts['TRL', RAISES]}."
    )
    mind = (
        "GRPO's files and prompts without a method are not given to TRL. That it raises is often right (it"
        " cannot read the file), but it may come after the model was loaded, and mostly without the line."
        " [The findings](../reference/findings.md) says what comes of each; `check.allow=[NAME]` waives one."
    )
    return [
        "# Mistakes in data: ptx beside raw TRL",
        "",
        made,
        "",
        told,
        "",
        mind,
        "",
    ]


if __name__ == "__main__":
    main()
