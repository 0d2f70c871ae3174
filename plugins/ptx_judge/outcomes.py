"""One outcome per question from a judge's verdicts in both orders, and a comparison's metrics from outcomes.

An outcome is 1 (ours is better), 0.5 (a tie) or 0. The two orders must agree. A verdict that changes with the
order depends on the position and not on the answers; it counts as a tie. If one order could not be read, the
outcome is unknown: it is left out of the win-rate and counts only in its worst and best case. The functions
are pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ptx import Better, Metric, stats
from ptx.lm.evaluation.orders import TIE, by_scores
from ptx_judge.solver import FAR, Array, controlled_interval, without_overlap

SEED = 0  # of bootstraps
#: the names of the win-rate, which begin all other names but those of the judge's scores (judge/score)
WIN_RATE, UNCHECKED = "judge/win_rate", "judge/win_rate_unchecked"


@dataclass(frozen=True)
class Outcome:
    """Both orders' verdicts on one question, seen from our answer (nan: none).

    ``same`` answers are a tie, and the judge is not asked.
    """

    first: float
    second: float
    lengths: tuple[int, int]  # characters of our answer, of theirs
    same: bool = False

    @property
    def known(self) -> bool:
        """Whether both orders gave a verdict."""
        return not (math.isnan(self.first) or math.isnan(self.second))

    @property
    def consistent(self) -> bool:
        """Whether both orders gave the same verdict."""
        return self.first == self.second

    @property
    def value(self) -> float:
        """1, 0.5 or 0; nan if it is unknown."""
        return math.nan if not self.known else self.first if self.consistent else TIE

    def at(self, unknown: float) -> float:
        """The outcome with every missing verdict set to ``unknown``."""
        seen = [unknown if math.isnan(verdict) else verdict for verdict in (self.first, self.second)]
        return replace(self, first=seen[0], second=seen[1]).value


def of_scores(ours: float, theirs: float, margin: float, lengths: tuple[int, int], *, same: bool) -> Outcome:
    """The outcome of two answers that were scored separately."""
    verdict = by_scores(ours, theirs, margin)
    return Outcome(verdict, verdict, lengths, same)


def win_rate(name: str, outcomes: Sequence[Outcome], segment: str = "") -> Metric:
    """The mean outcome; nan if none is known. If all answers are the same, it is exactly 0.5."""
    values = [outcome.value for outcome in outcomes if outcome.known]
    if outcomes and all(outcome.same for outcome in outcomes):
        return Metric(name, TIE, "fraction", "higher", TIE, TIE, len(outcomes), segment)
    return share(name, values, "higher", segment)


def share(name: str, values: Sequence[float], better: Better, segment: str = "") -> Metric:
    """The mean of values between 0 and 1."""
    if not values:
        return Metric(name, math.nan, "fraction", better, -math.inf, math.inf, 0, segment)
    mean, low, high = stats.score_interval(values, span=(0.0, 1.0))
    return Metric(
        name,
        mean,
        "fraction",
        better,
        min(mean, max(0.0, low)),
        max(mean, min(1.0, high)),
        len(values),
        segment,
    )


def around(name: str, outcomes: Sequence[Outcome]) -> list[Metric]:
    """The metrics beside a win-rate: its bounds, and the judge's behaviour. ``name`` is the win-rate's."""
    asked = [outcome for outcome in outcomes if not outcome.same]
    known = [outcome for outcome in outcomes if outcome.known]
    both = [float(outcome.consistent) for outcome in asked if outcome.known]
    metrics = [
        share(f"{name}/ties", [float(outcome.value == TIE) for outcome in known], "lower"),
        share(f"{name}/same_answers", [float(outcome.same) for outcome in outcomes], "lower"),
        share(f"{name}/unparsable", [float(not outcome.known) for outcome in outcomes], "lower"),
        length_ratio(f"{name}/length_ratio", outcomes),
    ]
    if both:
        metrics.insert(0, share(f"{name}/consistency", both, "higher"))
    if len(known) < len(outcomes):
        metrics += [share(f"{name}/worst_case", [outcome.at(0.0) for outcome in outcomes], "higher")]
        metrics += [share(f"{name}/best_case", [outcome.at(1.0) for outcome in outcomes], "higher")]
    return metrics


def length_controlled(name: str, values: Array, ours: Array, theirs: Array) -> Metric:
    """The win-rate at equal length; without a value where the lengths or the outcomes do not allow it."""
    reason = without_overlap(ours, theirs)
    found = None if reason else controlled_interval(values, ours, theirs, SEED)
    if found is None:
        note = f"not decided: {reason or 'the outcomes are separated by length, or all the same'}"
        return Metric(name, math.nan, "fraction", "higher", -math.inf, math.inf, len(values), note=note)
    raw = float(values.mean())
    note = (
        f"{abs(found[0] - raw):.2f} from the raw win-rate of {raw:.3f}: it rests on the length's slope more"
        " than on the verdicts"
        if abs(found[0] - raw) > FAR
        else ""
    )
    return Metric(name, found[0], "fraction", "higher", found[1], found[2], len(values), note=note)


def length_ratio(name: str, outcomes: Sequence[Outcome]) -> Metric:
    """The geometric mean of our answer's length over theirs.

    One character is added to both, because an answer may be empty.
    """
    logs = [math.log((ours + 1) / (theirs + 1)) for ours, theirs in (outcome.lengths for outcome in outcomes)]
    value, low, high = (math.exp(number) for number in _bounded(logs))
    return Metric(name, value, "ratio", "lower", min(low, value), max(high, value), len(logs))


def _bounded(logs: Sequence[float]) -> tuple[float, float, float]:
    mean, low, high = stats.mean_interval(logs)
    return (mean, low, high) if len(logs) > 1 else (mean, -700.0, 700.0)  # exp() of more is no float


def mean_score(name: str, scores: Sequence[float], bounds: tuple[float, float]) -> list[Metric]:
    """The mean of scores on the judge's own scale; if some are missing, also the worst and best case."""
    known = [score for score in scores if not math.isnan(score)]
    if not known:
        return []
    unit = "1-10" if bounds == (1.0, 10.0) else "score"
    metrics = [_mean(name, unit, known, bounds)]
    if len(known) < len(scores):
        for label, end in zip(("worst_case", "best_case"), bounds, strict=True):
            if math.isfinite(end):
                metrics.append(
                    _mean(
                        f"{name}/{label}",
                        unit,
                        [end if math.isnan(score) else score for score in scores],
                        bounds,
                    )
                )
        metrics.append(share(f"{name}/unparsable", [float(math.isnan(score)) for score in scores], "lower"))
    return metrics


def _mean(name: str, unit: str, values: Sequence[float], bounds: tuple[float, float]) -> Metric:
    mean, low, high = stats.mean_interval(values)
    return Metric(
        name,
        mean,
        unit,
        "higher",
        min(mean, max(bounds[0], low)),
        max(mean, min(bounds[1], high)),
        len(values),
    )


def by_segment(
    segments: Sequence[dict[str, str]],
    outcomes: Sequence[Outcome],
    make: Callable[[str, Sequence[Outcome]], Metric],
) -> list[Metric]:
    """A metric for each segment's questions; a segment without a known outcome has none."""
    parts: dict[str, list[Outcome]] = {}
    for found, outcome in zip(segments, outcomes, strict=True):
        for dimension, value in found.items():
            parts.setdefault(f"{dimension}={value}", []).append(outcome)
    return [
        make(segment, part)
        for segment, part in sorted(parts.items())
        if any(outcome.known for outcome in part)
    ]
