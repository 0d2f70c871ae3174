"""Try scorers before reinforcement learning starts, on references against references of other prompts.

A reward that pays as much for another prompt's answer cannot teach a model to answer: it teaches whatever
else the scorer likes. This is seen in a minute with known answers, and in days of training without. A scorer
that reads the reply alone (a format, a length) gives the same score wherever the reply stands; that is its
purpose, and it is told from a failure by just this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.training.reinforced import Reinforced

MOST = 32  # prompts that are tried; a judge behind an endpoint is asked three times as often
FEWEST = 8  # with fewer, chance decides
NOISE = 1e-4  # scores of a model differ by this much with the batch
FORM = "reads the form of a reply alone"


@dataclass(frozen=True)
class Trial:
    """Scores of each prompt's own reference, and of another prompt's, for the prompts where both exist.

    ``form_alone``: a reply has one score wherever it stands. ``compares``: it depends on the reference.
    """

    own: tuple[float, ...]
    other: tuple[float, ...]
    form_alone: bool
    compares: bool

    @property
    def gain(self) -> tuple[float, float, float]:
        """The mean advantage of the own reference, and two standard errors below and above it."""
        gaps = [a - b for a, b in zip(self.own, self.other, strict=True)]
        mean, error = fmean(gaps), 2 * stdev(gaps) / math.sqrt(len(gaps))
        return mean, mean - error, mean + error

    @property
    def fails(self) -> bool:
        """Whether a scorer that does not look at the form alone prefers what is wrong.

        One that compares with the reference must prefer it. A reward model may find bare references odd, so
        chance is allowed for.
        """
        value, _, high = self.gain
        return not self.form_alone and not (value if self.compares else high) > 0

    @property
    def told(self) -> str:
        """The result in words."""
        if self.form_alone:
            return FORM
        own, other = (math.fsum(side) / len(side) for side in (self.own, self.other))
        found = f"{own:.3g} for references, {other:.3g} for those of other prompts"
        return found if self.gain[1] > 0 else f"{found}, a difference within chance"


def try_scorers(run: Run, method: Reinforced, rows: Sequence[dict[str, Any]]) -> None:
    """Try each reward on the references of ``rows`` (TRL's columns ``prompt`` and ``answer``), and say so.

    Raises:
        StepError: a reward prefers the references of other prompts, or likes both as much.
    """
    known = _with_other_references(rows)
    if not method.try_scorers or len(known) < FEWEST:
        return
    faults = []
    for name in method.reward_names:
        trial = _trial(run, name, known)
        if len(trial.own) < FEWEST:
            continue
        if trial.fails:
            faults.append(f"the scorer {name!r} gives {trial.told}: it cannot tell them apart")
        else:
            run.say(f"scorer {name!r}: {trial.told} ({len(trial.own)} prompts)")
    if faults:
        raise StepError(
            f"{'; '.join(faults)}. Nothing right could be learnt from it. Choose another scorer"
            " (method.rewards=[...]), correct the references (column answer), or train anyway:"
            " method.try_scorers=false"
        )


def _with_other_references(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, str, str]]:
    """(prompt, its reference, the different reference of another prompt) of the first rows that have both."""
    known = [(row["prompt"], str(row["answer"])) for row in rows if row.get("answer") is not None][: 4 * MOST]
    found = []
    for place, (prompt, own) in enumerate(known):
        others = (known[(place + step) % len(known)][1] for step in range(1, len(known)))
        other = next((one for one in others if one != own), None)
        if other is not None:
            found.append((prompt, own, other))
    return found[:MOST]


def _trial(run: Run, name: str, known: Sequence[tuple[Any, str, str]]) -> Trial:
    """Every prompt with both replies, and with its own reply against the other reference, in one call."""
    prompts = [prompt for prompt, _, _ in known]
    own, other = [one for _, one, _ in known], [one for _, _, one in known]
    scores = run.score(name, prompts * 3, [*own, *other, *own], [*own, *own, *other])
    right, wrong, misplaced = (
        scores[start : start + len(known)] for start in range(0, 3 * len(known), len(known))
    )
    by_reply: dict[str, set[float]] = {}
    for reply, score in zip([*own, *other], [*right, *wrong], strict=True):
        if not math.isnan(score):
            by_reply.setdefault(reply, set()).add(round(float(score), 4))
    kept = [(a, b) for a, b in zip(right, wrong, strict=True) if not (math.isnan(a) or math.isnan(b))]
    return Trial(
        tuple(float(a) for a, _ in kept),
        tuple(float(b) for _, b in kept),
        form_alone=all(len(found) == 1 for found in by_reply.values()),
        compares=any(abs(a - b) > NOISE for a, b in zip(right, misplaced, strict=True)),
    )
