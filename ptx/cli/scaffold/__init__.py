"""``ptx plugins new``: an installable plugin with a test that passes, to change into one's own.

``common`` has the files that every plugin gets; each further folder is a kind, with the module and its test.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ptx.cli.parser import Parser
from ptx.config import GROUPS
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import get_host

TEMPLATES = Path(__file__).parent
COMMON = "common"
KINDS = sorted(folder.name for folder in TEMPLATES.iterdir() if (folder / "plugin.py.jinja").is_file())
#: kind -> the config group of its choices; a report has none
GROUP_OF = {"compressor": "compress", "evaluator": "eval", "maker": "make"}
NAME = re.compile(r"[a-z][a-z0-9_]*")

EXAMPLES = """\
examples:
  ptx plugins new brevity --kind evaluator
  cd ptx-brevity && pip install -e . && pytest"""


def main(arguments: Sequence[str]) -> int:
    """Write the plugin, and say what to type next.

    Raises:
        ConfigError: the name or the folder cannot be used.
    """
    parser = Parser(
        "ptx plugins new",
        description="Write a plugin of your own: a package with one module, a test that passes and a README.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="the name that its choice is typed with, such as brevity")
    parser.add_argument("--kind", choices=KINDS, required=True, help="what it adds")
    parser.add_argument("--to", metavar="DIR", type=Path, help="the folder to write; default ./ptx-NAME")
    words = parser.parse_args(list(arguments))
    folder = words.to or Path(f"ptx-{words.name.replace('_', '-')}")
    if found := problems(words.name, words.kind, folder):
        raise ConfigError(found)
    written = write(words.name, words.kind, folder)
    print(f"wrote {folder}: {', '.join(str(file.relative_to(folder)) for file in written)}")
    print(f"next: cd {folder} && pip install -e . && pytest")
    return 0


def problems(name: str, kind: str, folder: Path) -> list[Problem]:
    """Why a plugin of this name cannot be written."""
    found = []
    if not NAME.fullmatch(name):
        what = f"{name!r} cannot be the name of a choice and of a Python package"
        found.append(Problem(what, "use small letters, digits and _, and begin with a letter"))
    host, group = get_host(), GROUP_OF.get(kind, kind)
    if (group, name) in host.choices:
        owner = host.owners[group, name].name
        found.append(Problem(f"{group}={name} is given by the plugin {owner} already", "choose another name"))
    elif name in {plugin.name for plugin in host.plugins}:
        found.append(Problem(f"a plugin {name} is installed already", "choose another name"))
    if folder.exists():
        found.append(Problem(f"{folder} exists already", "name another folder with --to"))
    return found


def write(name: str, kind: str, folder: Path) -> list[Path]:
    """Write the files of the plugin into a new folder; returns them."""
    environment = Environment(  # noqa: S701 (Python and TOML, no HTML)
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    values = {
        "name": name,
        "package": f"ptx_{name}",
        "distribution": f"ptx-{name.replace('_', '-')}",
        "type": "".join(word.capitalize() for word in name.split("_")),
        "kind": kind,
        "group": group_of(kind),
    }
    places = {
        f"{COMMON}/pyproject.toml.jinja": "pyproject.toml",
        f"{COMMON}/README.md.jinja": "README.md",
        f"{kind}/test.py.jinja": f"tests/test_{name}.py",
    }
    for file in sorted((TEMPLATES / kind).glob("*.py.jinja")):
        if file.name != "test.py.jinja":
            module = "__init__.py" if file.name == "plugin.py.jinja" else file.stem
            places[f"{kind}/{file.name}"] = f"src/ptx_{name}/{module}"
    for template, place in places.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(environment.get_template(template).render(values), encoding="utf-8")
    return [folder / place for place in places.values()]


def group_of(kind: str) -> str:
    """The config group of a kind's choices, empty where it has none."""
    group = GROUP_OF.get(kind, kind)
    return group if group in GROUPS else ""
