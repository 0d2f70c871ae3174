"""Ask a judge about pairs that people have judged, in both orders, as ``eval=[judge]`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from ptx import Run, Scorer, StepError
from ptx.files import file_digest
from ptx.lm.evaluation.orders import verdicts
from ptx_judge import ledger
from ptx_judge.agreement import Agreement, with_majority
from ptx_judge.outcomes import Outcome
from ptx_judge.verdicts import FIRST, SECOND, TIE, Pair, Stored

AS_LABEL = {1.0: FIRST, 0.0: SECOND, 0.5: TIE}


def ask(run: Run, scorer: Scorer, pairs: Sequence[Pair], margin: float) -> list[Outcome]:
    """The judge's outcome of every pair, seen from the first answer."""
    prompts, first, second = (
        [pair.question for pair in pairs],
        [pair.answers[0] for pair in pairs],
        [pair.answers[1] for pair in pairs],
    )
    lengths = [(len(a), len(b)) for a, b in zip(first, second, strict=True)]
    nothing: list[str | None] = [None] * len(pairs)
    said = verdicts(run, scorer, prompts, first, second, nothing, margin)
    return [
        Outcome(*both, length, a == b)
        for both, length, a, b in zip(said, lengths, first, second, strict=True)
    ]


def measure(
    run: Run, name: str, scorer: Scorer, pairs: Sequence[Pair], margin: float, file: Path
) -> tuple[Stored, Agreement, ledger.Check]:
    """The judge's verdicts, their agreement with the majority, and the check to keep.

    Raises:
        StepError: the judge gave no verdict at all.
    """
    outcomes = ask(run, scorer, pairs, margin)
    labels = {
        pair.idx: AS_LABEL[outcome.value]
        for pair, outcome in zip(pairs, outcomes, strict=True)
        if outcome.known
    }
    if not any(pair.majority is not None and pair.idx in labels for pair in pairs):
        raise StepError(
            f"the judge {name} gave no verdict on any of the {len(pairs)} pairs; a judge that needs"
            " references cannot be checked with them"
        )
    judge = Stored(name, labels, len(pairs) - len(labels))
    found = with_majority(judge, pairs)
    known = [outcome for outcome in outcomes if outcome.known and not outcome.same]
    consistency = fmean(float(outcome.consistent) for outcome in known) if known else 1.0
    check = ledger.Check(
        judge=f"{name} {ledger.key_of(scorer)}",
        kappa=found.value,
        low=found.low,
        high=found.high,
        agreement=found.share,
        n=found.n,
        unparsable=judge.unreadable,
        consistency=consistency,
        margin=margin,
        data=file.name,
        digest=file_digest(file),
    )
    return judge, found, check
