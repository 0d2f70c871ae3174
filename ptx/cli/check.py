"""``ptx check``: describe a model or data value, say what it can be used for and what is wrong with it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ptx.compose.jobs import compose_jobs
from ptx.data import check
from ptx.errors import ConfigError, Problem
from ptx.files import cache_folder
from ptx.hooks.host import Host, get_host
from ptx.models import inspection
from ptx.plan.inputs import open_choice

EXAMPLES = """\
examples:
  ptx check data=./my.jsonl
  ptx check data=./my.csv data.columns.prompt=question
  ptx check model=./my-folder"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Describe the values.

    Raises:
        ConfigError: one of them cannot be used.
    """
    parser = argparse.ArgumentParser(
        "ptx check",
        description="Describe a model or a dataset: what it is, what it can be used for, and what is wrong"
        " with it. Nothing is run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="+", metavar="key=value", help="data=... or model=..., or both")
    words = parser.parse_args(list(arguments)).overrides
    host = get_host()
    groups = {word.partition("=")[0].partition(".")[0] for word in words}
    if not groups & {"data", "model"}:
        raise ConfigError(Problem("nothing to check", "give data=./my.jsonl or model=./folder"))
    config = compose_jobs(host, "eval", words)[0].config
    if "model" in groups:
        _check_model(host, config.model)
    if "data" in groups:
        _check_data(host, config.data)
    return 0


def _check_model(host: Host, value: Any) -> None:
    path = host.first("ptx_resolve", value=value, cache=cache_folder())
    found = inspection.problems(path)
    if found:
        raise ConfigError(found)
    facts = inspection.inspect(path)
    print(
        f"{path}: {facts.architecture}, {facts.parameters:,} parameters, {facts.dtype},"
        f" {facts.bytes / 1e6:.1f} MB"
    )
    print(
        "  chat template:"
        f" {'yes' if facts.has_chat_template else 'no (train on text or prompt/completion data)'}"
    )
    print(f"  marks assistant tokens ({{% generation %}}): {'yes' if facts.trains_on_assistant else 'no'}")


def _needs(kind: type) -> tuple[str, ...]:
    """Return the data shapes that a choice needs; if its settings decide, those of the default settings."""
    needs = getattr(kind, "needs", ())
    found: tuple[str, ...] = kind().needs if isinstance(needs, property) else needs
    return found


def _check_data(host: Host, value: Any) -> None:
    data = open_choice(host, value)
    fits = {
        shape: [
            f"{group}={name}"
            for (group, name), choice in host.choices.items()
            if shape in _needs(choice.config_type)
        ]
        for shape in data.shapes
    }
    print(f"{data.name}:")
    fatal: list[Problem] = []
    for shape in data.shapes:
        rows = data.rows(shape)
        problems, warnings = check(data, shape)
        fatal += problems
        print(f"  {shape}: {data.describe(shape)}")
        print(f"    fits: {', '.join(fits[shape]) or 'no loaded method'}")
        print(f"    first: {json.dumps(rows[0], ensure_ascii=False)[:160]}")
        for line in [*map(str, problems), *warnings]:
            print(f"    ! {line}")
    if fatal:
        raise ConfigError(fatal)
