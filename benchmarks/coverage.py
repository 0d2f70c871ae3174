"""How often intervals hold the truth, and how often a report of identical models claims a difference.

    python -m benchmarks.coverage                    the tables of docs/explanation/statistics.md
    python -m benchmarks.coverage --repeats 200      the same, quicker and less exact
    python -m benchmarks.coverage best segments      some of the tables

Everything is drawn from seeded generators, so the figures are the same on every machine. Reports are made of
records in memory by the code that ``ptx report`` runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ptx.records import Metric
from ptx.report import make_frame
from ptx.report.decision import leaders
from ptx.report.table.compare import compare_all, indistinguishable
from ptx.report.table.frame import Frame
from ptx.report.table.records import Record
from ptx.report.table.standing import places_of
from ptx.report.text.cautions import falling_segments
from ptx.stats import mean_interval, paired_difference, proportion, score_interval
from ptx.stats.distributions import log_binomial
from ptx.stats.items import measure
from ptx.stats.pareto import Value, standings

Generator = np.random.Generator
NAME = "quiz/score"
RATES = (0.5, 0.9, 0.97, 0.99, 0.999)

#: name -> (draw n scores, their mean, span)
SCORES: dict[str, tuple[Callable[[Generator, int], Any], float, tuple[float, float] | None]] = {
    "normal": (lambda g, n: g.normal(7, 1, n), 7.0, None),
    "exponential": (lambda g, n: g.exponential(1, n), 1.0, None),
    "lognormal": (lambda g, n: g.lognormal(0, 1, n), math.exp(0.5), None),
    "half zero, else exponential": (lambda g, n: 3 * g.exponential(1, n) * (g.random(n) < 0.5), 1.5, None),
    "0.8 zero, else exponential": (lambda g, n: 8 * g.exponential(1, n) * (g.random(n) < 0.2), 1.6, None),
    "0.6 zero, 0.25 one, else between": (lambda g, n: ends(g, n, 0.6, 0.25), 0.325, (0.0, 1.0)),
    "0.03 zero, 0.9 one, else between": (lambda g, n: ends(g, n, 0.03, 0.9), 0.935, (0.0, 1.0)),
    "ties 0.8, else won or lost": (
        lambda g, n: g.choice([0.0, 0.5, 1.0], n, p=[0.1, 0.8, 0.1]),
        0.5,
        (0.0, 1.0),
    ),
    "beta(5, 2)": (lambda g, n: g.beta(5, 2, n), 5 / 7, (0.0, 1.0)),
}


def ends(generator: Generator, n: int, nothing: float, full: float) -> Any:
    """Scores of 0 and 1 with the given shares, else uniform between them."""
    luck = generator.random(n)
    return np.where(luck < nothing, 0.0, np.where(luck < nothing + full, 1.0, generator.random(n)))


def rate_coverage(rate: float, n: int) -> float:
    """The exact coverage of the interval of a rate: the probability of the counts whose interval holds it."""
    held = (count for count in range(n + 1) if within(proportion(count, n), rate))
    return math.fsum(math.exp(log_binomial(count, n, rate)) for count in held)


def within(interval: tuple[float, float], truth: float) -> bool:
    """Whether an interval holds the truth, up to rounding."""
    return interval[0] - 1e-12 <= truth <= interval[1] + 1e-12


def clustered_coverage(
    rate: float, clusters: int, sizes: tuple[int, int], alike: float, repeats: int, kind: str = "beta"
) -> float:
    """Coverage of the rate of items in clusters with the intraclass correlation ``alike``.

    ``kind`` beta: a cluster's rate is beta-distributed; copies: an item has its cluster's outcome with the
    probability sqrt(alike), else its own.
    """
    generator, hits = np.random.default_rng(3), 0
    for _ in range(repeats):
        of = np.repeat(np.arange(clusters), generator.integers(*sizes, clusters, endpoint=True))
        rates = np.full(clusters, rate)
        if alike and kind == "beta":
            strength = (1 - alike) / alike
            rates = generator.beta(rate * strength, (1 - rate) * strength, clusters)
        elif alike:
            share = math.sqrt(alike)
            rates = share * (generator.random(clusters) < rate) + (1 - share) * rate
        right = (generator.random(len(of)) < rates[of]).astype(float)
        hits += within(score_interval(right.tolist(), clusters=of.tolist())[1:], rate)
    return hits / repeats


def score_coverage(name: str, n: int, repeats: int) -> tuple[float, float]:
    """(Coverage, share of finite intervals) of the mean of n scores."""
    draw, truth, span = SCORES[name]
    generator, hits, finite = np.random.default_rng(11), 0, 0
    for _ in range(repeats):
        _, low, high = score_interval(draw(generator, n).tolist(), span=span)
        hits += within((low, high), truth)
        finite += math.isfinite(low) and math.isfinite(high)
    return hits / repeats, finite / repeats


def false_verdicts(name: str, n: int, repeats: int) -> float:
    """How often n gaps of mean zero (scores minus their mean) get the verdict better or worse."""
    draw, truth, _ = SCORES[name]
    generator, claims = np.random.default_rng(5), 0
    for _ in range(repeats):
        gaps = draw(generator, n) - truth
        found = paired_difference({str(i): g for i, g in enumerate(gaps)}, {str(i): 0.0 for i in range(n)})
        claims += found.verdict in ("better", "worse")
    return claims / repeats


def identical(
    generator: Generator, models: int, items: int, kind: str = "binary", segments: int = 0
) -> Frame:
    """A frame of models that are equally good; the first is the baseline.

    Items differ in their difficulty, which all models share. ``kind`` binary: right or wrong; real: a score
    with a long tail. With ``segments``, items are spread over that many segments of very different sizes.
    """
    difficulty = generator.beta(2, 1, items)
    chosen = np.minimum(generator.geometric(0.15, items) - 1, segments - 1) if segments else None
    records = []
    for model in range(models):
        scores = (
            (generator.random(items) < difficulty).astype(float)
            if kind == "binary"
            else 5 * difficulty + generator.exponential(1, items)
        )
        rows = [
            {
                "item": f"q{i}",
                "scores": {NAME: float(score)},
                "segments": {} if chosen is None else {"topic": str(chosen[i])},
            }
            for i, score in enumerate(scores)
        ]
        records.append(record_of(model, rows, "fraction" if kind == "binary" else "points"))
    return make_frame(records)


def record_of(model: int, rows: list[dict[str, Any]], unit: str) -> Record:
    """A finished run in memory."""
    run = {
        "id": f"m{model}",
        "label": f"m{model}",
        "baseline": model == 0,
        "seed": 0,
        "varied": {} if model == 0 else {"method": f"m{model}"},
        "config": {"method": f"m{model}"},
        "model": {"name": "m", "digest": "d"},
    }
    result = {"status": "done", "evaluations": [{"name": "quiz"}]}
    metrics = [("quiz", metric) for metric in measure(NAME, unit, "higher", rows)]
    return Record(Path(f"m{model}"), "done", run, result, metrics=metrics, _rows={"quiz": rows})


def left_out(models: int, items: int, kind: str, repeats: int) -> tuple[float, float]:
    """(How often any identical model is left out of the best, how often one of them is) per report."""
    generator, reports, rows = np.random.default_rng(8), 0, 0
    for _ in range(repeats):
        frame = identical(generator, models, items, kind)
        best = max(frame.rows, key=lambda row: row.metrics[NAME, ""].value)
        found = indistinguishable(frame, best, NAME)
        missing = models - 1 - len(found["same"]) - len(found["too few"])
        reports, rows = reports + (missing > 0), rows + missing
    return reports / repeats, rows / repeats / (models - 1)


def segment_claims(models: int, items: int, segments: int, repeats: int) -> tuple[float, float]:
    """(Reports with any mark in a segment, reports that name a falling segment) of identical models."""
    generator, marked, named = np.random.default_rng(9), 0, 0
    for _ in range(repeats):
        frame = identical(generator, models, items, "binary", segments)
        comparisons = compare_all(frame)
        marked += any(one.verdict in ("better", "worse") for (_, _, part), one in comparisons.items() if part)
        named += bool(falling_segments(frame, comparisons))
    return marked / repeats, named / repeats


def dominated(models: int, objectives: int, repeats: int) -> float:
    """How often one of some identical models is called dominated, by values with normal intervals."""
    generator, claims = np.random.default_rng(10), 0
    for _ in range(repeats):
        drawn = generator.normal(0, 1, (models, objectives))
        points = [[Value(v, v - 1.96, v + 1.96) for v in row] for row in drawn.tolist()]
        claims += "dominated" in standings(points, ["higher"] * objectives)
    return claims / repeats


def with_costs(generator: Generator, frame: Frame) -> Frame:
    """The frame with latency ratios that were measured in turns, and equal sizes."""
    for row in frame.rows:
        times = generator.normal(1, 0.1, 40).tolist()
        value, low, high = mean_interval(times)
        record = row.records[0]
        record.metrics += [
            ("latency", Metric("latency/request_ratio", value, "ratio", "lower", low, high, 40)),
            ("latency", Metric("size/bytes_on_disk", 1e6, "bytes", "lower", 1e6, 1e6, 1)),
        ]
    return make_frame([row.records[0] for row in frame.rows])


def claims(frame: Frame) -> set[str]:
    """What a report says in praise of a model: better, dominated (by it), best, smallest, fastest."""
    comparisons = compare_all(frame)
    objectives = frame.objectives
    costs = objectives[1:]
    fronts = [places_of(frame, [objectives[0], cost], len(costs)) for cost in costs]
    found = {"dominated" for front in fronts for place in front.values() if place.standing == "dominated"}
    found |= {
        one.verdict
        for (_, name, _), one in comparisons.items()
        if name in objectives and one.verdict == "better"
    }
    top = [leaders.best(frame), leaders.smallest(frame, comparisons), leaders.fastest(frame, comparisons)]
    return found | {leader.kind for leader in top if leader is not None and leader.sure}


def praise(models: int, items: int, kind: str, repeats: int) -> tuple[float, dict[str, float]]:
    """(Share of reports of identical models that praise any of them, shares by the kind of claim)."""
    generator, any_of, by_kind = np.random.default_rng(11), 0, dict[str, int]()
    for _ in range(repeats):
        found = claims(with_costs(generator, identical(generator, models, items, kind)))
        any_of += bool(found)
        by_kind |= {claim: by_kind.get(claim, 0) + 1 for claim in found}
    return any_of / repeats, {claim: count / repeats for claim, count in sorted(by_kind.items())}


def table(title: str, head: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table in Markdown, row by row."""
    print(f"\n{title}\n\n| {' | '.join(head)} |\n| --- |{' --: |' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def print_rates(_: int) -> None:
    """Right or wrong, by n."""
    ns = (1, 2, 5, 10, 30, 100)
    rows = ([f"{rate}", *(f"{rate_coverage(rate, n):.3f}" for n in ns)] for rate in RATES)
    table("Rates (exact)", ["rate", *(f"n={n}" for n in ns)], rows)


def print_clusters(repeats: int) -> None:
    """Right or wrong in clusters."""
    cases = [(count, sizes) for count in (10, 30) for sizes in ((5, 5), (30, 30), (5, 30))]
    head = ["rate, correlation", *(f"{count} of {sizes[0]}-{sizes[1]}" for count, sizes in cases)]
    rows = (
        [
            f"{rate}, {alike} {kind}",
            *(
                f"{clustered_coverage(rate, count, sizes, alike, repeats, kind):.3f}"
                for count, sizes in cases
            ),
        ]
        for rate in (0.5, 0.9, 0.97)
        for alike, kind in ((0.0, "beta"), (0.1, "beta"), (0.5, "beta"), (0.5, "copies"))
    )
    table("Rates of clustered items", head, rows)


def print_scores(repeats: int) -> None:
    """Means of scores."""
    ns = (5, 6, 8, 10, 20, 30, 100)

    def cell(name: str, n: int) -> str:
        coverage, finite = score_coverage(name, n, repeats)
        return "too few" if finite == 0 else f"{coverage:.3f}"

    rows = ([name, *(cell(name, n) for n in ns)] for name in SCORES)
    table("Means of scores", ["scores", *(f"n={n}" for n in ns)], rows)


def print_gaps(repeats: int) -> None:
    """False verdicts on paired gaps."""
    ns = (5, 6, 8, 10, 20, 30)
    names = [name for name, (_, _, span) in SCORES.items() if span is None]
    rows = ([name, *(f"{false_verdicts(name, n, repeats):.3f}" for n in ns)] for name in names)
    table("Verdicts on paired gaps of mean zero", ["gaps", *(f"n={n}" for n in ns)], rows)


def print_best(repeats: int) -> None:
    """Identical models left out of the best set."""
    counts = (3, 6, 12)
    rows = (
        [
            f"{kind}, n={items}",
            *(f"{left_out(models, items, kind, repeats // 4)[0]:.3f}" for models in counts),
        ]
        for kind in ("binary", "real")
        for items in (20, 100, 300)
    )
    table(
        "Reports that leave an identical model out of the best", ["", *(f"{k} models" for k in counts)], rows
    )


def print_segments(repeats: int) -> None:
    """Reports of identical models with a claim about a segment."""
    rows = (
        [f"{models} models, {segments} segments, n={items}", *(f"{share:.3f}" for share in found)]
        for models, items, segments in ((2, 60, 12), (4, 100, 20), (4, 300, 20), (8, 300, 40))
        for found in [segment_claims(models, items, segments, repeats // 4)]
    )
    table("Reports of identical models with a claim about a segment", ["", "marked", "named"], rows)


def print_fronts(repeats: int) -> None:
    """Identical models called dominated."""
    rows = ([f"{k} models", *(f"{dominated(k, d, repeats):.3f}" for d in (1, 2))] for k in (3, 6, 12, 40))
    table(
        "Fronts of identical models with a point called dominated", ["", "1 objective", "2 objectives"], rows
    )


def print_praise(repeats: int) -> None:
    """Reports of identical models that call one of them better, best, smallest, fastest, or dominated."""
    rows = (
        [f"{models} models, {kind}, n={items}", f"{share:.3f}", str(parts)]
        for models, items, kind in (
            (5, 50, "binary"),
            (5, 50, "real"),
            (20, 100, "binary"),
            (20, 100, "real"),
        )
        for share, parts in [praise(models, items, kind, repeats // 8)]
    )
    table("Reports of identical models that praise one of them", ["", "any", "by claim"], rows)


TABLES: dict[str, Callable[[int], None]] = {
    "rates": print_rates,
    "clusters": print_clusters,
    "scores": print_scores,
    "gaps": print_gaps,
    "best": print_best,
    "segments": print_segments,
    "fronts": print_fronts,
    "praise": print_praise,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], help="which; all unless named")
    parser.add_argument("--repeats", type=int, default=2000, help="simulated samples per figure")
    options = parser.parse_args()
    for name in options.tables or TABLES:
        TABLES[name](options.repeats)


if __name__ == "__main__":
    main()
