"""`ptx tiny`: rebuild the embedded demonstration model and its data from scratch."""

from __future__ import annotations

import argparse
from pathlib import Path

from ptx.cli.plugin_commands import Parser
from ptx_tiny.data import write_data

DESCRIPTION = "Rebuild the embedded demonstration and test model, or its data, from scratch."
EXAMPLES = """examples:
  ptx tiny build                       rebuild the packaged model in place (about 8 minutes on two idle cores)
  ptx tiny build --out ./m --seed 1    another seed, into another folder
  ptx tiny build --out ./m --steps 50  a quick test of the build; the model will know nothing
  ptx tiny build --out ./m --data-only its data only, in ./m/data
  ptx tiny data --out ./rows           the generated rows and benchmark tasks, to read or to copy from
"""


def main(arguments: list[str]) -> int:
    """Run `ptx tiny ARGUMENTS`; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.verb == "data":
        return data(options.out)
    if options.data_only:
        return data((options.out or Path("tiny")) / "data")
    return build(options)


def parser() -> argparse.ArgumentParser:
    """The arguments of `ptx tiny`."""
    top = Parser(
        "ptx tiny", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    build_ = verbs.add_parser(
        "build",
        help="corpus, tokenizer, pretraining, scores, model card",
        epilog=EXAMPLES,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    build_.add_argument("--out", type=Path, help="model folder to write (default: the packaged one)")
    build_.add_argument("--seed", type=int, default=0, help="seed of weights and corpus (default 0)")
    build_.add_argument("--steps", type=int, help="training steps; fewer than the default for a quick test")
    build_.add_argument("--threads", type=int, default=2, help="processor threads (default 2)")
    build_.add_argument("--data-only", action="store_true", help="write the data and train nothing")
    data_ = verbs.add_parser("data", help="write the generated rows and tasks")
    data_.add_argument("--out", type=Path, required=True, help="folder to write")
    return top


def data(out: Path) -> int:
    """Write all data to `out` and print what was written."""
    write_data(out)
    print(
        f"wrote {len(list(out.glob('*.jsonl'))) - 2} shapes, held-out and general text, and"
        f" {len(list((out / 'tasks').glob('*.yaml')))} tasks to {out}"
    )
    return 0


def build(options: argparse.Namespace) -> int:
    """Train the model and print its scores."""
    from ptx_tiny import MODEL_FOLDER
    from ptx_tiny.build import STEPS
    from ptx_tiny.build import build as make

    out = options.out or MODEL_FOLDER
    figures = make(out, options.seed, options.steps or STEPS, options.threads)
    for skill, score in figures["scores"].items():
        print(f"{skill:10} strict {score['strict']:4.0%}  flexible {score['flexible']:4.0%}  n {score['n']}")
    print(f"wrote {out} in {figures['seconds']:.0f} s")
    return 0
