"""Round robin: every two runs of a sweep compared by the judge that they were evaluated with.

The verdicts are written to ``SWEEP/judge/rounds.jsonl``. Reports read the order of the runs from there and
never ask a judge themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptx.files import read_rows, write_rows
from ptx.lm.evaluation.orders import TIE
from ptx_judge.solver import strengths

ROUNDS = Path("judge") / "rounds.jsonl"
Row = dict[str, Any]
Answers = dict[str, dict[str, Row]]  # run -> item -> its row


def shared(answers: Answers) -> list[str]:
    """The questions that every run has answered, sorted."""
    common = set.intersection(*(set(rows) for rows in answers.values())) if answers else set()
    return sorted(common)


def couples(answers: Answers) -> Iterator[tuple[str, str]]:
    """Every two runs."""
    yield from itertools.combinations(answers, 2)


def keep(folder: Path, rounds: Sequence[Row]) -> Path:
    """Write the rounds of a sweep, whole or not at all."""
    path = folder / ROUNDS
    path.parent.mkdir(exist_ok=True)
    write_rows(path, rounds)
    return path


def kept(folder: Path) -> list[Row]:
    """The rounds of a sweep; empty if it was not ranked."""
    return list(read_rows(folder / ROUNDS))


def games_of(rounds: Sequence[Row], runs: Sequence[str]) -> list[NDArray[np.float64]]:
    """One matrix (K, K) per question: how often row beat column; a tie counts half for each.

    Unknown outcomes are left out.
    """
    place = {run: index for index, run in enumerate(runs)}
    found: dict[str, NDArray[np.float64]] = {}
    for game in rounds:
        if game["outcome"] is not None and game["a"] in place and game["b"] in place:
            wins = found.setdefault(game["item"], np.zeros((len(runs), len(runs))))
            wins[place[game["a"]], place[game["b"]]] += game["outcome"]
            wins[place[game["b"]], place[game["a"]]] += 1 - game["outcome"]
    return list(found.values())


def rounds_by_score(answers: Answers, score: str, margin: float) -> list[Row]:
    """The rounds that follow from the scores of single answers, without asking a judge."""
    made = []
    for a, b in couples(answers):
        for item in shared(answers):
            ours, theirs = (answers[run][item]["scores"].get(score) for run in (a, b))
            if ours is not None and theirs is not None:
                gap = ours - theirs
                made.append(
                    {"item": item, "a": a, "b": b, "outcome": TIE if abs(gap) <= margin else float(gap > 0)}
                )
    return made


def order(
    rounds: Sequence[Row], runs: Sequence[str], seed: int = 0
) -> list[tuple[str, float, float, float]] | None:
    """(Run, strength, low, high), the strongest first; None if Bradley and Terry's model has no estimate."""
    games = games_of(rounds, runs)
    found = strengths(games, seed) if games else None
    if found is None:
        return None
    return sorted(((run, *one) for run, one in zip(runs, found, strict=True)), key=lambda entry: -entry[1])
