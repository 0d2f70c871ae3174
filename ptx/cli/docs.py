"""``ptx docs``: the pages of the documentation, which a wheel holds beside the code.

Messages name a page by the command that shows it (``ptx docs other-environment``): a path into the repository
would lead nowhere for who has installed a wheel.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import ptx
from ptx.cli.parser import Parser
from ptx.errors import ConfigError, Problem

PLACES = ("docs", "../docs")  # seen from the package: in a wheel, in a checkout
#: the folders of pages -> what they answer
KINDS = {
    "": "begin here",
    "how-to": "I want to do one thing",
    "reference": "what exactly is there",
    "explanation": "why is it so",
}

EXAMPLES = """\
examples:
  ptx docs                    list the pages
  ptx docs tutorial           show one; a terminal gets it with colours, a file or pipe as Markdown
  ptx docs hooks | less"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """List the pages, or show one."""
    found = pages()
    parser = Parser(
        "ptx docs",
        usage="ptx docs [-h] [PAGE]",
        description="List the pages of the documentation, or show one of them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "page",
        nargs="?",
        metavar="PAGE",
        type=lambda word: Path(word).stem,  # docs/how-to/search.md is search too
        choices={name: title_of(page) for name, page in found.items()},
        help="its name, as the list has it",
    )
    name = parser.parse_args(list(arguments)).page
    if name is None:
        print(listing(found))
    else:
        show(found[name].read_text(encoding="utf-8"))
    return 0


def pages() -> dict[str, Path]:
    """Name -> file of every page.

    Raises:
        ConfigError: this installation has none.
    """
    here = Path(ptx.__file__).parent
    place = next((here / name for name in PLACES if (here / name / "index.md").is_file()), None)
    if place is None:
        raise ConfigError(Problem("this installation of ptx has no pages", "install its wheel again"))
    return {file.stem: file for kind in KINDS for file in sorted((place / kind).glob("*.md"))}


def title_of(page: Path) -> str:
    """The heading of a page."""
    with page.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("# ")), "")


def listing(found: dict[str, Path]) -> str:
    """The pages below what their kind answers, one a line."""
    width = max(map(len, found))
    lines: list[str] = []
    for kind, answers in KINDS.items():
        of_kind = [name for name, page in found.items() if page.parent.name == (kind or "docs")]
        lines += [answers, *(f"  {name:<{width}}  {title_of(found[name])}" for name in of_kind)]
    return "\n".join(lines)


def show(text: str) -> None:
    """Print a page: rendered in a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text, hyperlinks=False))  # links show their page: ptx docs shows it
