"""``ptx doctor``: whether this installation and this machine are ready, and what to type where they are not.

Each module beside this one has a function ``look`` that returns lines. None loads an ML library, so the
command also works where one of them is broken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ptx.cli.doctor import distributions, environments, hardware, hub, plugins
from ptx.cli.doctor.line import Line, Severity
from ptx.cli.parser import Parser
from ptx.hooks.host import load_host

SIGNS: dict[Severity, tuple[str, str]] = {
    "fine": ("ok", "green"),
    "note": ("--", "yellow"),
    "wrong": ("!!", "red"),
}
EXAMPLES = """\
examples:
  ptx doctor                                  this installation and this machine
  ptx doctor ~/vllm/bin/python                also another environment: which runtimes it can serve
  ptx doctor --json                           the same for a program or a bug report
exit code: 0, or 1 where a line is marked !!"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Print the diagnosis; returns 1 where something is wrong."""
    parser = Parser(
        "ptx doctor",
        description="Look at the installation, plugins, machine and hub, and say what is missing.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("python", nargs="*", type=Path, help="the Python of another environment to look at")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(list(arguments))
    host = load_host(Path.cwd())
    sections: dict[str, Callable[[], list[Line]]] = {
        "installation": distributions.look,
        "plugins": partial(plugins.look, host),
        "machine": hardware.look,
        "hub": hub.look,
        "other environments": partial(environments.look, host, options.python),
    }
    found = {name: look() for name, look in sections.items()}
    if options.json:
        print(json.dumps({name: [asdict(line) for line in lines] for name, lines in found.items()}, indent=2))
    else:
        _print(found)
    return 1 if any(line.severity == "wrong" for lines in found.values() for line in lines) else 0


def _print(found: dict[str, list[Line]]) -> None:
    """Each section with its lines, and a last line with the number of what is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    for name, lines in found.items():
        console.print(Text(name, style="bold"))
        for line in lines:
            sign, colour = SIGNS[line.severity]
            console.print(Text(f"  {sign}  ", style=colour) + Text(f"{line.about}: {line.found}"))
            if line.fix:
                console.print(Text(f"      {line.fix}", style="dim"))
    count = {kind: sum(line.severity == kind for ls in found.values() for line in ls) for kind in SIGNS}
    console.print(
        f"{count['wrong']} wrong (!!), {count['note']} to know (--): only what that line names does not work"
    )
