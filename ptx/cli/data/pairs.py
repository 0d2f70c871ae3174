"""``ptx data pairs``: pairs of a better and a worse reply to the same prompt, from scores or thumbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from ptx.cli.data.words import OUT, new_file, parsed, usable, wrote
from ptx.config import setting
from ptx.data import DataSet
from ptx.data.records import Record, Row
from ptx.errors import ConfigError, Problem, counted, did_you_mean

ABOUT = """\
Write pairs of replies to the same prompt, from a file with one reply per row and a score or a label for
each. Rows with equal prompts belong together. Replies that are equal, or whose scores are closer than the
margin, make no pair: which one is better would be a guess."""
EXAMPLE = "ptx data pairs data=./graded.jsonl score=rating margin=1 out=./pairs.jsonl"


@dataclass
class Pairs:
    """The words of the verb."""

    out: str = setting(help=OUT)
    score: str = setting("label", "the column of the score: a number, more is better; or true and false")
    margin: float = setting(0.0, "how far apart two scores must be")
    keep: str = setting(
        "best", "best: the best reply against the worst one; all: every two replies that differ"
    )


def main(words: Sequence[str]) -> int:
    """Pair the replies, and say what made no pair.

    Raises:
        ConfigError: the rows have faults, or no two of them make a pair.
    """
    options, data = parsed("pairs", ABOUT, Pairs, EXAMPLE, words)
    path = new_file(options.out)
    made, alone, tied = paired(data, options)
    alone_ = f"{counted(alone, 'prompt')} {'has' if alone == 1 else 'have'} one reply"
    left = f"{alone_}, and of {tied} no reply is better by more than {options.margin:g}"
    if not made:
        raise ConfigError(
            Problem(
                f"no two replies of {data.name} make a pair: {left}",
                "look at the prompts: equal ones belong together",
            )
        )
    wrote(path, made, "pair", f"; {left}")
    return 0


def paired(data: DataSet, options: Pairs) -> tuple[list[Row], int, int]:
    """The pairs; the number of prompts with one reply, and of those whose replies are equally good.

    Raises:
        ConfigError: the rows have faults.
    """
    if options.keep not in ("best", "all"):
        raise ConfigError(Problem(f"keep must be best or all, got {options.keep!r}", "try keep=best"))
    shape = data.require(("thumbs", "completions", "messages"), "ptx data pairs")
    usable(data, shape)
    _check_column(data.located(shape), options.score)
    groups: dict[str, list[tuple[float, Row]]] = {}
    for record in data.located(shape):
        row = _asked_and_said(record.row)
        groups.setdefault(repr(row["prompt"]), []).append((_score(record, options.score), row))
    made: list[Row] = []
    tied = 0
    for rows in groups.values():
        found = _pairs(rows, options)
        made += found
        tied += len(rows) > 1 and not found
    return made, sum(len(rows) == 1 for rows in groups.values()), tied


def _check_column(records: Sequence[Record], column: str) -> None:
    """Raise ConfigError where no row has the column of the score."""
    names = dict.fromkeys(name for record in records for name in record.row)
    if column not in names:
        fix = f"name the column of the score: score=COLUMN; {did_you_mean(column, [*names])}"
        raise ConfigError(Problem(f"no row has a column {column!r} that scores its reply", fix))


def _asked_and_said(row: Row) -> Row:
    """The prompt and the reply of a row, as texts or as messages."""
    if "messages" in row:
        return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _score(record: Record, column: str) -> float:
    value = record.row.get(column)
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        what = f"{record.place}: {column} must be a number, or true or false, got {value!r:.40}"
        fix = "name the column of the score: score=COLUMN"
        raise ConfigError(Problem(what, fix)) from None


def _pairs(rows: Sequence[tuple[float, Row]], options: Pairs) -> list[Row]:
    """The pairs of the replies to one prompt."""
    ranked = sorted(rows, key=lambda scored: -scored[0])
    candidates = [(ranked[0], ranked[-1])] if options.keep == "best" else product(ranked, ranked)
    return [
        {
            "prompt": better["prompt"],
            "chosen": better["completion"],
            "rejected": worse["completion"],
            "score_chosen": high,
            "score_rejected": low,
        }
        for (high, better), (low, worse) in candidates
        if high > low and high - low >= options.margin and better["completion"] != worse["completion"]
    ]
