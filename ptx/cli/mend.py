"""``ptx mend``: write a copy of a model folder in which what contradicts itself is mended."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ptx.cli.parser import Parser
from ptx.cli.plugin_commands import new_folder
from ptx.errors import ConfigError
from ptx.models.inspection import problems
from ptx.models.mend import mend

EXAMPLES = """\
examples:
  ptx check model=./my-folder              what is wrong
  ptx mend ./my-folder out=./my-folder-mended
  ptx check model=./my-folder-mended       nothing any more"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Mend a copy; the exit code is 0 when nothing that refuses a use is left.

    Raises:
        ConfigError: the folder is no model, or the other folder exists already.
    """
    parser = Parser(
        "ptx mend",
        description="Write a copy of a model folder in which the files agree: the end-of-text token, token\n"
        "ids, sizes and types that config.json states, settings of generation. Weights stay as they are.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", help="the model folder")
    parser.add_argument("out", metavar="out=FOLDER", help="the folder to write; it must not exist")
    words = parser.parse_args(list(arguments))
    path, out = Path(words.folder.removeprefix("model=")).expanduser(), new_folder(words.out)
    if found := problems(path):
        raise ConfigError(found)
    mended, left = mend(path, out)
    for one in mended:
        print(f"mended: {one.what}")
    for one in left:
        print(f"left: {one.problem(out)}")
    print(f"wrote {out}" if mended else f"wrote {out}, a copy: nothing was found that can be mended")
    return 1 if any(one.refuses for one in left) else 0
