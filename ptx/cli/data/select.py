"""``ptx data select``: fewer rows of the same data, by the rules of ``make=select``, as a file.

The rules live in the plugin; this verb types its words and copies what it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptx.cli.api import single
from ptx.cli.data.words import OUT, new_file, wrote
from ptx.cli.data.words import parsed as parsed_words
from ptx.config import setting
from ptx.data.read import read_table

ABOUT = """\
Keep some rows of a dataset: without duplicates (by=exact, by=minhash), without what an evaluation asks
(by=overlap), by length, perplexity or difficulty, or by chance. The rules and all their settings:
ptx plugins select; a setting that is not listed here: ptx make make=select make.SETTING=..."""
EXAMPLE = "ptx data select data=./my.jsonl by=minhash out=./fewer.jsonl"


@dataclass
class Select:
    """The words of the verb."""

    out: str = setting(help=OUT)
    by: str = setting("minhash", "exact, minhash, overlap, random, length, perplexity, ifd or ifd_ppl")
    share: float = setting(0.0, "share of the rows that is kept at most; 0: no bound")
    count: int = setting(0, "rows that are kept at most; 0: no bound")
    against: str = setting("", "overlap: a file or folder with what the evaluation asks")
    model: str = setting("tiny", "perplexity, ifd: the model that reads the rows")
    seed: int = setting(0, "random: another seed, another choice")


def main(words: Sequence[str]) -> int:
    """Select, and say how many rows are left.

    Raises:
        ConfigError: the words or the rows have faults.
    """
    options, data = parsed_words("select", ABOUT, Select, EXAMPLE, words)
    out = new_file(options.out)
    typed = [word for word in words if word.partition("=")[0].partition(".")[0] == "data"]
    made = single("make", [*typed, *words_of(options), "eval=[]"], {}, quiet=True)
    kept = next(file for folder in made.made.values() for file in sorted(folder.glob("*.jsonl")))
    rows = [record.row for record in read_table([kept], None).records]
    wrote(out, rows, note=f" of {len(data.located(kept.stem))}")
    return 0


def words_of(options: Select) -> list[str]:
    """The words of ``ptx make`` for the verb's own."""
    fields = {"by": options.by, "share": options.share, "count": options.count}
    fields["against"] = f"[{options.against}]" if options.against else ""
    given = [f"make.{name}={value}" for name, value in fields.items() if value]
    return ["make=select", *given, f"model={options.model}", f"seed={options.seed}"]
