"""``ptx import``: the YAML of another trainer becomes a command of ptx.

What has no counterpart is named: a setting that is dropped without a word would be another experiment. The
command is composed as if it had been typed, so its words are right; data and model are checked when it runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ptx.cli.foreign import axolotl, llama_factory
from ptx.cli.foreign.translation import Translation
from ptx.cli.parser import Parser
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError, Problem
from ptx.guard.plain_yaml import parse_yaml
from ptx.guard.reading import read_text
from ptx.hooks.host import get_host
from ptx.plan.plan import command_line

TOOLS = {"Axolotl": axolotl, "LLaMA-Factory": llama_factory}

EXAMPLES = """\
examples:
  ptx import qlora.yml               prints the command, and what could not be taken over
  ptx import llama3_lora_dpo.yaml    a file of LLaMA-Factory; its dataset_info.json is read too
  ptx import qlora.yml --json"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Print the command; the exit code is 0 also where something has no counterpart: that is said.

    Raises:
        ConfigError: the file is of no tool that is known, or does not name a model and data.
    """
    parser = Parser(
        "ptx import",
        description="Translate a configuration of Axolotl or LLaMA-Factory into a command of ptx. Nothing\n"
        "is run. What needs no setting here, and what has no counterpart, is listed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="the YAML file")
    parser.add_argument("--json", action="store_true", help="print the words and the lists as JSON")
    options = parser.parse_args(list(arguments))
    made = translated(Path(options.file).expanduser())
    if made.problems:
        raise ConfigError(made.problems)
    compose_jobs(get_host(), "train", made.words)
    print(json.dumps(made.plain(), indent=2) if options.json else _text(made))
    return 0


def translated(file: Path) -> Translation:
    """The words of a file of another tool.

    Raises:
        ConfigError: it is none, or of no tool that is known.
    """
    settings = parse_yaml(read_text(file), file.name)
    if not isinstance(settings, Mapping):
        raise ConfigError(Problem(f"{file.name} holds no settings", "give the YAML of a training"))
    known = {name: sum(key in tool.SETTINGS for key in settings) for name, tool in TOOLS.items()}
    tool = max(known, key=lambda name: known[name])
    marks = [key for key in TOOLS[tool].MARKS if key in settings]
    if not marks:
        wanted = "; ".join(f"{name}: {' or '.join(one.MARKS)}" for name, one in TOOLS.items())
        raise ConfigError(
            Problem(f"{file.name} is of no tool that is known", f"a file of one has ({wanted})")
        )
    made = Translation(tool, dict(settings), file.parent)
    TOOLS[tool].translate(made)
    return made


def _text(made: Translation) -> str:
    lines = [f"# {made.tool}", command_line(["train", *made.words])]
    for title, found in (
        ("taken over in another way", made.changed),
        ("not needed", made.unneeded),
        ("no counterpart", made.lost),
    ):
        if found:
            lines += [
                "",
                f"{title}:",
                *(f"  {name}: {why}" if why else f"  {name}" for name, why in found.items()),
            ]
    return "\n".join(lines)
