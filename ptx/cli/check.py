"""``ptx check``: describe a model or data value, say what it can be used for and what is wrong with it.

Data, model and method are checked as the plan of a run checks them, by the same functions: what passes here
starts, and what is refused here is refused there, in the same words. Given together they are checked against
each other: rows are rendered with the model's chat template and counted in its tokens.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ptx.compose.jobs import compose_jobs
from ptx.config import RunConfig
from ptx.data import DataSet, check
from ptx.data.checking import no_rows
from ptx.data.overlap import overlaps
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host, get_host
from ptx.models.contradictions import notes, refusals
from ptx.models.finding import COMPRESS, EXPORT, TRAIN
from ptx.models.inspection import ModelFacts
from ptx.models.replies import has_places
from ptx.plan.contamination import contamination
from ptx.plan.feeds import Feeds
from ptx.plan.inputs import Inputs
from ptx.plan.lengths import lengths, limit_of
from ptx.plan.rendering import rendering
from ptx.records import ModelRef

EXAMPLES = """\
examples:
  ptx check data=./my.jsonl
  ptx check data=./my.csv data.columns.prompt=question
  ptx check model=./my-folder
  ptx check model=./my-folder data=./my.jsonl method=sft
  ptx check data=./my.jsonl eval=[bench] 'eval.bench.tasks=[./test.yaml]'   do the rows hold what is asked?
  ptx check model=./my-folder runtime=gguf"""
#: shapes that a model is trained on as they are
TRAINED = ("messages", "completions", "pairs", "thumbs", "prompts", "text")


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Describe the values.

    Raises:
        ConfigError: with everything that is wrong with them.
    """
    parser = argparse.ArgumentParser(
        "ptx check",
        description="Describe a model or a dataset: what it is, what it can be used for, and what is wrong"
        " with it. Given together, also whether they fit. Nothing is run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="+",
        metavar="key=value",
        help="data=... or model=..., or both, and a method=..., compress=[...] or runtime=...",
    )
    words = parser.parse_args(list(arguments)).overrides
    groups = {word.partition("=")[0].partition(".")[0] for word in words}
    if not groups & {"data", "model"}:
        raise ConfigError(Problem("nothing to check", "give data=./my.jsonl or model=./folder"))
    host = get_host()
    trains = groups & {"method", "recipe", "lora"}
    verb = "train" if trains else "compress" if "compress" in groups else "eval"
    words += [] if "eval" in groups else ["eval=[]"]  # evaluators need more than data and model
    config = compose_jobs(host, verb, words)[0].config
    steps = verb != "eval" or "runtime" in groups
    problems = _Check(host, config, groups, steps).problems
    if problems:
        raise ConfigError(problems)
    return 0


class _Check:
    """Checks what the words name, prints what it is, and collects the ``problems``."""

    def __init__(self, host: Host, config: RunConfig, groups: set[str], steps: bool) -> None:
        self.host, self.config = host, config
        self.inputs = Inputs(host)
        self.problems: list[Problem] = []
        self._said: set[str] = set()
        model = self.inputs.model(config.model) if "model" in groups or steps else None
        data = self.inputs.data(config.data) if "data" in groups else None
        self.problems += self.inputs.problems
        if model and "model" in groups:
            _print_model(*model)
            self._contradictions(model[0])
        if data:
            self._data(data)
        if steps and model and (data or "data" not in groups):
            self._steps(model[0], data or self.inputs.data(config.data))
        if model and data and "model" in groups:
            self._together(data, model)

    def _contradictions(self, ref: ModelRef) -> None:
        """What the files of the folder disagree about: what refuses a use of it, and what is to be known."""
        if ref.kind != "package":
            self.problems += refusals(ref.path, TRAIN, COMPRESS, EXPORT)
            self._note(notes(ref.path))

    def _data(self, data: DataSet) -> None:
        print(f"{data.name}:")
        for shape in data.shapes:
            problems, notes = check(data, shape)
            if problems == [no_rows(data, shape)] and shape != data.sources[shape].form.shape:
                continue  # it follows from other rows than these (from safety prompts with a reference)
            self.problems += problems
            if problems:
                print(f"  {shape}: not usable as it is")
                continue
            first = json.dumps(data.rows(shape)[0], ensure_ascii=False, default=str)[:160]
            print(f"  {shape}: {data.describe(shape)}")
            print(f"    fits: {', '.join(_fits(self.host, shape)) or 'no loaded method'}")
            print(f"    first: {first}")
            trained = contamination(data, shape, self.config.eval) if shape in TRAINED else []
            self._note([*notes, *trained])
        self._note(overlaps(data))

    def _steps(self, model: ModelRef, data: DataSet | None) -> None:
        """The plan's own checks of the steps, the model and the data."""
        further = self.inputs.further(self.config, model)
        self.problems += Feeds(self.host, self.config, model, data, further).problems

    def _together(self, data: DataSet, model: tuple[ModelRef, ModelFacts]) -> None:
        """The rows as the model reads them: those that a method reads, else all that could be trained on."""
        ref, facts = model
        needs = getattr(self.config.method, "needs", TRAINED)
        shapes = [shape for shape in needs if shape in data.shapes][: 1 if self.config.method else None]
        if self.problems or ref.kind == "package":
            return
        print(f"{data.name} on {ref.path.name}:")
        for shape in shapes:
            found, notes = rendering(data, shape, ref.path)
            limit = limit_of(self.config.method, facts.max_positions)
            measured = lengths(data, shape, ref.path, limit)
            self.problems += [*found, *measured.problems]
            print(f"  {shape}: {measured.longest}")
            self._note([*notes, *measured.notes])

    def _note(self, lines: Sequence[str]) -> None:
        """Print what was not printed before: shapes that follow from each other share most findings."""
        for line in lines:
            if line not in self._said:
                self._said.add(line)
                print(f"    ! {line}")


def _print_model(ref: ModelRef, facts: ModelFacts) -> None:
    print(
        f"{ref.path}: {facts.architecture}, {facts.parameters:,} parameters, {facts.dtype},"
        f" {facts.bytes / 1e6:.1f} MB"
    )
    print(
        "  chat template:"
        f" {'yes' if facts.has_chat_template else 'no (train on text or prompt/completion data)'}"
    )
    if facts.has_chat_template:
        by_prompts = "found by their prompts" if has_places(ref.path) else "no place of their own in the text"
        print(f"  replies: {'marked by the template' if facts.trains_on_assistant else by_prompts}")


def _needs(kind: type) -> tuple[str, ...]:
    """Return the data shapes that a choice needs; if its settings decide, those of the default settings."""
    needs = getattr(kind, "needs", ())
    found: tuple[str, ...] = kind().needs if isinstance(needs, property) else needs
    return found


def _fits(host: Host, shape: str) -> list[str]:
    return [
        f"{group}={name}"
        for (group, name), choice in host.choices.items()
        if shape in _needs(choice.config_type)
    ]
