"""``ptx check``: describe a model or data value, say what it can be used for and what is wrong with it.

Data, model and method are checked as the plan of a run checks them, by the same functions: what passes here
starts, and what is refused here is refused there, in the same words. Given together they are checked against
each other: rows are rendered with the model's chat template and counted in its tokens.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx.cli.check.rewarded import rewarded
from ptx.cli.check.shown import page, show
from ptx.cli.check.told import Told
from ptx.cli.parser import Parser
from ptx.cli.sampled import ROWS
from ptx.compose.jobs import Job, compose_jobs
from ptx.data import DataSet
from ptx.data.findings.checking import no_rows
from ptx.data.findings.checking import problems as stopping
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host, get_host
from ptx.models.contradictions import notes, refusals
from ptx.models.finding import COMPRESS, EXPORT, TRAIN
from ptx.models.inspection import ModelFacts
from ptx.models.replies import has_places
from ptx.plan.feeds import Feeds
from ptx.plan.inputs import Inputs
from ptx.plan.planner import with_content
from ptx.plan.row_findings import of_rows, on_model
from ptx.plan.trained import ShownRow, shown_rows
from ptx.plan.waivers import waiver_problems
from ptx.records import ModelRef

EXAMPLES = """\
examples:
  ptx check data=./my.jsonl
  ptx check data=./my.csv data.columns.prompt=question
  ptx check model=./my-folder
  ptx check model=./my-folder data=./my.jsonl method=sft
  ptx check model=./my-folder data=./my.jsonl method=sft --show 3      rows with the trained tokens marked
  ptx check model=./my-folder data=./my.jsonl method=grpo --rewards    do its answers earn different rewards?
  ptx check data=./my.jsonl 'check.allow=[one-reply]'                  waive a finding by its name
  ptx check data=./my.jsonl eval=[bench] 'eval.bench.tasks=[./test.yaml]'   do the rows hold what is asked?
  ptx check model=./my-folder runtime=gguf"""
#: shapes that a model is trained on as they are
TRAINED = ("messages", "completions", "pairs", "thumbs", "prompts", "text")


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Describe the values.

    Raises:
        ConfigError: with everything that is wrong with them.
    """
    options = _parsed(arguments)
    words = options.overrides
    groups = {word.partition("=")[0].partition(".")[0] for word in words}
    if not groups & {"data", "model"}:
        raise ConfigError(Problem("nothing to check", "give data=./my.jsonl or model=./folder"))
    if (options.show or options.html) and not {"data", "model"} <= groups:
        raise ConfigError(Problem("--show needs data and a model", "add data=./my.jsonl model=./my-folder"))
    if options.rewards and not {"data", "model"} <= groups:
        raise ConfigError(
            Problem("--rewards needs data and a model", "add data=./my.jsonl model=./my-folder")
        )
    if options.rewards < 0:
        raise ConfigError(
            Problem(f"--rewards {options.rewards} asks for no prompts", f"try --rewards {ROWS}")
        )
    host = get_host()
    trains = groups & {"method", "recipe", "lora"}
    verb = "train" if trains else "compress" if "compress" in groups else "eval"
    words += [] if trains or "eval" in groups else ["eval=[]"]  # evaluators need more than data and model
    job = compose_jobs(host, verb, words)[0]
    steps = verb != "eval" or "runtime" in groups
    told = Told(job.config.check.allow, quiet=options.json)
    checked = _Check(host, job, groups, steps, told, options.show or (3 if options.html else 0))
    if options.rewards and not told.problems:
        checked.rewards(options.rewards)
    if options.html:
        Path(options.html).write_text(page(checked.rows), encoding="utf-8")
        told.say(f"written to {options.html}")
    if options.json:
        print(json.dumps(told.facts(), indent=2, ensure_ascii=False, default=str))
        return 2 if told.problems else 0
    if told.problems:
        raise ConfigError(told.problems)
    return 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "ptx check",
        description="Describe a model or a dataset: what it is, what it can be used for, and what is wrong\n"
        "with it. Given together, also whether they fit. Nothing is run, save with --rewards.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="+",
        metavar="key=value",
        help="data=... or model=..., or both, and a method=..., compress=[...] or runtime=...",
    )
    parser.add_argument(
        "--show",
        type=int,
        default=0,
        metavar="N",
        help="show N rows as tokens, those that are trained marked",
    )
    parser.add_argument(
        "--rewards",
        type=int,
        nargs="?",
        const=ROWS,
        default=0,
        metavar="N",
        help=f"let the model answer N prompts ({ROWS} without a number) several times each, and say where"
        " all answers earn the same reward",
    )
    parser.add_argument("--html", default="", metavar="FILE", help="write the shown rows as a page")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser.parse_intermixed_args(list(arguments))


class _Check:
    """Checks what the words name, and tells what it is and what is found; ``rows`` are those to show."""

    def __init__(self, host: Host, job: Job, groups: set[str], steps: bool, told: Told, show: int) -> None:
        self.host, self.told = host, told
        self.inputs = Inputs(host)
        self.rows: list[ShownRow] = []
        told.found(waiver_problems(job.config.check.allow), stops=True)
        model = self.inputs.model(job.config.model) if "model" in groups or steps else None
        data = self.inputs.data(job.config.data) if "data" in groups else None
        self.config, wrong, _ = with_content(job, data)
        told.found([*self.inputs.problems, *wrong], stops=True)
        if model and "model" in groups:
            self._model(*model)
        if data:
            self._data(data)
        if steps and model and (data or "data" not in groups):
            self._steps(model[0], data or self.inputs.data(self.config.data))
        if model and data and "model" in groups:
            self._together(data, model, show)

    def rewards(self, prompts: int) -> None:
        """What the model's own answers to some prompts earn.

        Raises:
            ConfigError: no row of the data is a prompt.
        """
        data, model = self.inputs.data(self.config.data), self.inputs.model(self.config.model)
        if not data or not model or "prompts" not in data.shapes:
            raise ConfigError(
                Problem("--rewards needs prompts", "give rows with prompt, and answer if there is one")
            )
        said, noted = rewarded(self.config, model[0], data, prompts)
        self.told.fact("rewards", said)
        for line in said:
            self.told.say(f"  {line}")
        self.told.found(noted)

    def _model(self, ref: ModelRef, facts: ModelFacts) -> None:
        """What it is, and what the files of the folder disagree about."""
        for line in _lines_of(ref, facts):
            self.told.say(line)
        self.told.fact("model", {"path": str(ref.path), "kind": ref.kind, **vars(facts)})
        if ref.kind != "package":
            self.told.found(refusals(ref.path, TRAIN, COMPRESS, EXPORT), stops=True)
            self.told.found(notes(ref.path))

    def _data(self, data: DataSet) -> None:
        self.told.say(f"{data.name}:")
        for shape in data.shapes:
            evaluators = self.config.eval if shape in TRAINED else {}
            read = self._read(data) - {""}  # nothing stops or warns of a shape that no step reads
            derived = shape not in read and (shape != data.sources[shape].native or bool(read))
            problems, noted = (stopping(data, shape), []) if derived else of_rows(data, shape, evaluators)
            if problems == [no_rows(data, shape)] and derived:
                continue  # it follows from other rows than these (from safety prompts with a reference)
            if problems and (derived or self.told.found(problems, stops=True)):
                self.told.say(f"  {shape}: not usable as it is{f': {problems[0]}' if derived else ''}")
                self.told.fact(shape, {"usable": False})
                continue
            first = json.dumps(data.rows(shape)[0], ensure_ascii=False, default=str)[:160]
            fits = _fits(self.host, shape)
            self.told.say(f"  {shape}: {data.describe(shape)}")
            self.told.say(f"    fits: {', '.join(fits) or 'no loaded method'}")
            self.told.say(f"    first: {first}")
            self.told.fact(shape, {"usable": True, "rows": len(data.rows(shape)), "fits": fits})
            self.told.fact(shape, {"how": data.describe(shape), "first": data.rows(shape)[0]})
            self.told.found(() if derived else noted)

    def _read(self, data: DataSet) -> set[str]:
        """The shapes that the steps of the run would read."""
        needs = [step.needs for step in self.config.chain().values()]
        return {next((shape for shape in one if shape in data.shapes), "") for one in needs}

    def _steps(self, model: ModelRef, data: DataSet | None) -> None:
        """The plan's own checks of the steps, the model and the data."""
        further = self.inputs.further(self.config, model)
        feeds = Feeds(self.host, self.config, model, data, further)
        self.told.found([*self.inputs.problems, *feeds.problems], stops=True)

    def _together(self, data: DataSet, model: tuple[ModelRef, ModelFacts], show: int) -> None:
        """The rows as the model reads them: those that a method reads, else all that could be trained on."""
        ref, method = model[0], self.config.method
        needs = getattr(method, "needs", TRAINED)
        shapes = [shape for shape in needs if shape in data.shapes][: 1 if method else None]
        if self.told.problems or ref.kind == "package":
            return
        self.told.say(f"{data.name} on {ref.path.name}:")
        for shape in shapes:
            (problems, noted), measured = on_model(data, shape, ref.path, method)
            self.told.found(problems, stops=True)
            self.told.say(f"  {shape}: {measured.longest}")
            self.told.fact(shape, {"tokens": measured.longest})
            self.told.found(noted)
        for shape in shapes[:1] if show and not self.told.problems else ():
            self.rows = shown_rows(data, shape, ref.path, method, show)
            self.told.fact("rows", [row.plain() for row in self.rows])
            for line in show_lines(self.rows):
                self.told.say(line)


def show_lines(rows: Sequence[ShownRow]) -> list[str]:
    """The rows for a terminal or a pipe."""
    return [line for row in rows for line in show(row)]


def _lines_of(ref: ModelRef, facts: ModelFacts) -> list[str]:
    what = f"{facts.architecture}, {facts.parameters:,} parameters, {facts.dtype}, {facts.bytes / 1e6:.1f} MB"
    chat = "yes" if facts.has_chat_template else "no (train on text or prompt/completion data)"
    lines = [f"{ref.path}: {what}", f"  chat template: {chat}"]
    if facts.has_chat_template:
        by_prompts = "found by their prompts" if has_places(ref.path) else "no place of their own in the text"
        lines.append(f"  replies: {'marked by the template' if facts.trains_on_assistant else by_prompts}")
    return lines


def _needs(kind: type) -> tuple[str, ...]:
    """Return the data shapes that a choice needs; if its settings decide, those of the default settings."""
    needs: Any = getattr(kind, "needs", ())
    found: tuple[str, ...] = kind().needs if isinstance(needs, property) else needs
    return found


def _fits(host: Host, shape: str) -> list[str]:
    return [
        f"{group}={name}"
        for (group, name), choice in host.choices.items()
        if shape in _needs(choice.config_type)
    ]
