"""``ptx sweep FILE``: a sweep or search that a YAML file describes with the words of the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx.cli import train
from ptx.cli.parser import Parser
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.names import name_problem
from ptx.guard.plain_yaml import read_yaml

EXAMPLES = """\
a sweep file:
  verb: train
  overrides:
    - method=sft,dpo
    - compress=[],[sparsegpt]
    - seed=range(0,3)

`config_dir: FOLDER` names a folder beside the file with presets of its own: if FOLDER/compress/gptq5.yaml
holds `defaults: [gptq]` and `bits: 5`, then compress=[gptq5] is GPTQ with 5 bits.

examples:
  ptx sweep my-sweep.yaml
  ptx sweep my-sweep.yaml out=/big/disk/ptx-out --dry-run"""

SEARCH = """\
a sweep file with a search (`pip install 'ptx[search]'`; `ptx docs search` explains every field):
  overrides: [model=tiny, data=tiny, method=dpo]
  search:
    trials: 40
    space:
      method.learning_rate: tag(log, interval(1e-5, 1e-3))
      method.beta: choice(0.05, 0.1, 0.3)
    objectives: {bench/mean: maximize}

examples:
  ptx sweep my-search.yaml
  ptx sweep my-search.yaml search.trials=80      the same search, continued"""

OTHERWISE = ("null", "true", "false", "nan", "inf")  # words that stand for another value
FIELDS = ("verb", "name", "config_dir", "overrides", "search")


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Run the sweep or search of a file; words after the file are added to its overrides, or replace them."""
    parser = Parser(
        "ptx sweep",
        usage="ptx sweep [-h] FILE [key=value ...] [options of ptx train]",
        description="Run the sweep or search that a YAML file describes.\nkey=value words after the file are"
        " added to its overrides, or replace the one of the same key; options are those of `ptx train`.",
        epilog=f"{EXAMPLES}\n\n{SEARCH}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the sweep file")
    options, more = parser.parse_known_args(list(arguments))
    study = read(options.file)
    plain = study["name"].isidentifier() and study["name"].lower() not in OTHERWISE
    name = f"name={study['name']}" if plain else f"name='{study['name']}'"
    beside = (
        []
        if "--config-dir" in more or not study.get("config_dir")
        else ["--config-dir", str(options.file.parent / study["config_dir"])]
    )
    if "search" in study:
        from ptx.cli import search

        return search.main(study, name, arguments, [*more, *beside])
    return train.main(study["verb"], ["-m", *beside, name, *unless_typed(study["overrides"], more), *more])


def unless_typed(given: Sequence[str], typed: Sequence[str]) -> list[str]:
    """The overrides of a file whose keys were not typed: a shorter list of recipes is no second axis."""
    keys = {word.partition("=")[0] for word in typed if "=" in word}
    return [word for word in given if word.partition("=")[0] not in keys]


def name_of(file: Path) -> str:
    """The name of a sweep whose file gives none: that of the file, as far as it can be one."""
    return re.sub(r"[^\w.+-]+", "-", file.stem).strip(".-") or "sweep"


def read(file: Path) -> dict[str, Any]:
    """Read and check a sweep file; returns its fields.

    Raises:
        ConfigError: with everything that is wrong.
    """
    if not file.exists():
        raise ConfigError(Problem(f"no sweep file {file}", "`ptx sweep --help` shows an example"))
    study = read_yaml(file)
    if not isinstance(study, dict):
        raise ConfigError(Problem(f"{file} holds no fields", "`ptx sweep --help` shows an example"))
    problems = [
        Problem(f"{file}: no field {name!r}", did_you_mean(str(name), FIELDS))
        for name in study
        if name not in FIELDS
    ]
    study.setdefault("verb", "train")
    if str(study["verb"]) not in train.DESCRIPTIONS:
        problems.append(
            Problem(
                f"{file}: no verb {study['verb']!r}",
                did_you_mean(str(study["verb"]), list(train.DESCRIPTIONS)),
            )
        )
    if problem := name_problem(f"{file}: name", study.setdefault("name", name_of(file))):
        problems.append(problem)
    if not isinstance(study.get("config_dir") or "", str):
        problems.append(Problem(f"{file}: config_dir must be a folder, got {study['config_dir']!r:.60}"))
    overrides = study.get("overrides")
    if not (isinstance(overrides, list) and overrides and all(isinstance(word, str) for word in overrides)):
        problems.append(
            Problem(
                f"{file}: overrides must be a list of key=value words, got {overrides!r:.80}",
                "- method=sft,dpo",
            )
        )
    if problems:
        raise ConfigError(problems)
    return study
