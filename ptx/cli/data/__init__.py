"""``ptx data``: datasets from datasets: other shapes, splits, selections, pairs.

Every word that begins with ``data`` says what is read, as in every other command, and the rows pass the same
checks. The result is a file of JSON lines, written whole or not at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from ptx.cli.parser import Parser

VERBS = {
    "convert": "the rows in another shape: messages, completions, prompts, thumbs, ...",
    "split": "a part for training and one for testing, near-duplicates on the same side",
    "select": "fewer rows: without duplicates, by length, difficulty, or chance",
    "pairs": "pairs of a better and a worse reply, from scores or thumbs",
}

EXAMPLES = """\
examples:
  ptx data convert data=./faq.csv to=messages out=./faq.jsonl
  ptx data split data=./my.jsonl test=0.1 out=./split
  ptx data pairs data=./graded.jsonl score=rating margin=1 out=./pairs.jsonl
  ptx data select data=./my.jsonl by=minhash out=./fewer.jsonl
  ptx data split --help         what a verb does, and its words"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Run one of the verbs."""
    listed = "\n".join(f"  {name:<10} {line}" for name, line in VERBS.items())
    parser = Parser(
        "ptx data",
        usage="ptx data VERB data=... key=value ...",
        description=f"Make a dataset of another one.\n\nverbs:\n{listed}",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, metavar="|".join(VERBS), help="what to do")
    parser.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="key=value", help="see ptx data VERB --help"
    )
    chosen = parser.parse_args(list(arguments))
    return int(import_module(f"ptx.cli.data.{chosen.verb}").main(chosen.words))
