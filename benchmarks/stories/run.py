"""What compression costs a small pretrained model, and which method is better: one command makes all figures.

    python benchmarks/stories/run.py STORIES260K TINY_STORIES.txt WIKITEXT2_TEST.txt --to stories-study
        [--limit 100] [--steps 60]

Runs sweeps/{prune,quantise,distill}_stories.yaml one after the other in the folder ``--to`` (again:
continues), makes one report of them, and prints the pairs that matter, row by row: bits per byte of the first
less those of the second, with the 95 % interval of a paired t-test. ``--limit`` is the rows that are scored
of each text, ``--steps`` those of healing and of distillation. Half an hour on a quiet core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import compare
import prepare

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ("quantise_stories", "prune_stories", "distill_stories")
PAIRS = [
    ("gptq_channel_w4", "rtn_channel_w4"),
    ("gptq_channel_w3", "rtn_channel_w3"),
    ("sparsegpt", "wanda"),
    ("wanda", "magnitude"),
    ("sparsegpt", "magnitude"),
    ("depth_heal_distill", "depth"),
    ("width_heal_distill", "width"),
    ("shrink_heal_distill", "depth,width"),
]


def main() -> int:
    """Run the studies, report, and print the pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path, nargs=2, metavar="TEXT")
    parser.add_argument("--to", type=Path, default=Path("stories-study"), help="working folder")
    parser.add_argument("--limit", type=int, default=0, help="rows that are scored of each text; 0: all")
    parser.add_argument(
        "--steps", type=int, default=60, help="optimizer steps of healing, and of distillation"
    )
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    if not (options.to / "stories").is_dir():
        prepare.main(*map(str, options.texts), str(options.to / "stories"))
    for name in STUDIES:
        ptx(
            options.to,
            "sweep",
            str(ROOT / "sweeps" / f"{name}.yaml"),
            *words(name, options),
            "--retry-failed",
        )
    ptx(options.to, "report", *STUDIES, "--to", "report")
    print_pairs(options.to / "ptx-out" / "runs")
    return 0


def words(name: str, options: argparse.Namespace) -> list[str]:
    """What a study is told beyond its file."""
    said = [f"model={options.model.resolve()}"]
    if options.limit:
        said.append(f"eval.perplexity.limit={options.limit}")
    if name == "distill_stories":
        said += [f"recipe.steps.{step}.max_steps={options.steps}" for step in ("heal", "distill")]
    return said


def ptx(folder: Path, *arguments: str) -> None:
    """One command of ptx in the working folder."""
    subprocess.run([sys.executable, "-m", "ptx", *arguments], cwd=folder, check=True)


def print_pairs(runs: Path) -> None:
    """A line per pair and text."""
    scored = {}
    for path in runs.glob("*_stories/*/result.json"):
        varied = json.loads(path.with_name("run.json").read_text())["varied"]
        scored[next(iter(varied.values()), "original").strip("[]")] = compare.Measured(path.parent)
    for first, second in PAIRS:
        if first in scored and second in scored:
            for line in compare.lines(scored[first], scored[second]):
                print(line)


if __name__ == "__main__":
    sys.exit(main())
