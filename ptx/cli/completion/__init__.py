"""``ptx completion SHELL``: what Tab offers in a shell, found by asking ptx itself.

The scripts beside this module ask ``ptx completion words -- WORD...``: the typed words, the last one as far
as it is typed. Each line of the answer is a whole word, a tab, and what it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ptx.cli.completion.candidates import candidates
from ptx.cli.parser import Parser
from ptx.hooks.host import load_host

SHELLS = {file.suffix[1:]: file for file in sorted(Path(__file__).parent.glob("ptx.*"))}
ASKED = "words"  # what the scripts type

EXAMPLES = """\
examples:
  eval "$(ptx completion bash)"                 in ~/.bashrc
  eval "$(ptx completion zsh)"                  in ~/.zshrc, after compinit
  ptx completion fish > ~/.config/fish/completions/ptx.fish
then:
  ptx train method=<Tab>    ptx train method=dpo method.<Tab>    ptx report <Tab>"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Print the script of a shell, or what completes the typed words."""
    if arguments[:1] == [ASKED]:
        typed = list(arguments[1:])
        for word, about in candidates(load_host(Path.cwd()), typed[1:] if typed[:1] == ["--"] else typed):
            print(f"{word}\t{about}")
        return 0
    parser = Parser(
        "ptx completion",
        description="Print the script that lets a shell complete verbs, groups, choices and fields of ptx.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=sorted(SHELLS))
    shell = parser.parse_args(list(arguments)).shell
    print(SHELLS[shell].read_text(encoding="utf-8"), end="")
    return 0
