"""``ptx plugins``: which plugins are loaded, which are broken, and the fields of each choice."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptx import __version__
from ptx.cli import scaffold
from ptx.cli.parser import Parser
from ptx.compose.groups import hydra, known
from ptx.config import GROUPS, IN_METHOD, Choice
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.hooks.host import Host, get_host, heavy_line

EXAMPLES = """\
examples:
  ptx plugins                       all choices, by group
  ptx plugins method                the choices of one group
  ptx plugins dpo                   the fields of method=dpo, with defaults
  ptx plugins dpo --json            the same as JSON
  ptx plugins new brevity --kind evaluator    write a plugin of your own
  PTX_DISABLE=wandb ptx plugins     do not load a plugin
  PTX_TRACE=1 ptx train ...         print every hook call"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """List the plugins, show the fields of one choice, or write a plugin to begin with."""
    if arguments[:1] == ["new"]:
        return scaffold.main(arguments[1:])
    parser = Parser(
        "ptx plugins",
        description="List the plugins and their choices, or show the fields of one choice.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name",
        nargs="?",
        help="a group, a choice (dpo, gptq, bench, ...) or a plugin; default: list all; or new",
    )
    parser.add_argument("--json", action="store_true", help="print choices and fields as JSON")
    options = parser.parse_args(list(arguments))
    name, host, console = options.name, get_host(), Console(highlight=False)
    if options.json:
        print(json.dumps([_plain(host, choice) for choice in _named(host, name)], indent=2, default=str))
    elif name in GROUPS:
        console.print(_table(host, [name]))
    elif name:
        for choice in _named(host, name):
            _explain_choice(host, choice, console)
    else:
        _list(host, console)
    return 0


def _table(host: Host, groups: Iterable[str]) -> Table:
    """The choices of some groups, each with its plugin."""
    table = Table("group", "choice", "what", "plugin", box=None, pad_edge=False, header_style="bold")
    for group in groups:
        for name in host.names(group):
            choice, owner = host.choices[group, name], host.owners[group, name]
            of_ptx = owner.version == __version__
            whose = owner.name if of_ptx else f"{owner.name} {owner.version}"
            table.add_row(Text(group), Text(name), Text(choice.help), Text(whose))
    return table


def _list(host: Host, console: Console) -> None:
    console.print(_table(host, GROUPS))
    console.print()
    for group, names in presets(host).items():
        console.print(Text(f"presets of {group}: {' '.join(names)}"), soft_wrap=True)
    for plugin in host.broken:
        line = f"not loaded: {plugin.name} ({plugin.origin}): {plugin.error}"
        console.print(Text(line), style="red", soft_wrap=True)
    for plugin in host.plugins:
        if plugin.heavy:
            line = f"slow: {plugin.name} ({plugin.origin}) {heavy_line(plugin)}"
            console.print(Text(line), style="yellow", soft_wrap=True)


def presets(host: Host) -> dict[str, list[str]]:
    """Return group -> its presets: YAML files that name a choice with settings; ``recipe`` is a group too."""
    with hydra(host, None):
        found = {
            group: [name for name in known(group) if (group, name) not in host.choices]
            for group in (*GROUPS, "recipe")
        }
    return {group: names for group, names in found.items() if names}


def _named(host: Host, name: str | None) -> list[Choice]:
    """The choices of a group, of a plugin, or of that name; all without a name.

    Raises:
        ConfigError: there is none.
    """
    found = [
        choice
        for choice in host.choices.values()
        if name in (None, choice.group, choice.name, host.owners[choice.group, choice.name].name)
    ]
    if not found:
        raise ConfigError(
            Problem(
                f"no choice or plugin {name!r}",
                did_you_mean(name or "", sorted({choice.name for choice in host.choices.values()})),
            )
        )
    return found


def _plain(host: Host, choice: Choice) -> dict[str, object]:
    """A choice and its fields as plain data."""
    owner = host.owners[choice.group, choice.name]
    return {
        "group": choice.group,
        "name": choice.name,
        "help": choice.help,
        "plugin": owner.name,
        "version": owner.version,
        "fields": [
            {"name": word, "default": default, "help": help_} for word, default, help_ in _fields(choice)
        ],
    }


def _fields(choice: Choice) -> Iterator[tuple[str, object, str]]:
    """The word of each field, its default and its help."""
    prefix = choice.group
    if GROUPS[choice.group][1]:
        prefix = f"{choice.group}.{choice.name}"
    elif choice.group in IN_METHOD:
        prefix = f"method.{choice.group}"
    for field in dataclasses.fields(choice.config_type):
        default = field.default if field.default is not dataclasses.MISSING else None
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        yield f"{prefix}.{field.name}", default, str(field.metadata.get("help", ""))


def _explain_choice(host: Host, choice: Choice, console: Console) -> None:
    many = GROUPS[choice.group][1]
    owner = host.owners[choice.group, choice.name]
    console.print(
        Text(f"{choice.group}={f'[{choice.name}]' if many else choice.name}", style="bold"), Text(choice.help)
    )
    console.print(
        Text(
            f"plugin {owner.name} {owner.version} ({owner.origin}); libraries:"
            f" {', '.join(choice.libraries) or 'none'}",
            style="dim",
        )
    )
    table = Table("field", "default", "what", box=None, pad_edge=False, header_style="bold")
    for word, default, help_ in _fields(choice):
        table.add_row(Text(word), Text(str(default)), Text(help_))
    console.print(table)
