"""Sweeps in memory: a baseline and some models, with quality, size and latency as given."""

from __future__ import annotations

import math
import random
from pathlib import Path

from ptx.records import Metric
from ptx.report import make_frame
from ptx.report.decision.decide import decide
from ptx.report.table.compare import compare_all
from ptx.report.table.records import Record
from ptx.report.table.standing import places_of

SIZE, RATIO, QUALITY = "size/bytes_on_disk", "latency/request_ratio", "bench/mean"


def model(
    name, quality=None, size=None, ratio=None, *, half=0.01, n=400, baseline=False, status="done", extra=()
):
    """A record; what is None was not measured."""
    metrics = list(extra)
    if quality is not None:
        metrics.append(Metric(QUALITY, quality, "fraction", "higher", quality - half, quality + half, n))
    if size is not None:
        metrics.append(Metric(SIZE, size, "bytes", "lower", size, size, 1))
    if ratio is not None:
        metrics.append(Metric(RATIO, ratio, "ratio", "lower", ratio - 0.02, ratio + 0.02, 40))
    varied = {} if baseline else {"method": name}
    run = {"id": name, "label": name, "baseline": baseline, "varied": varied, "seed": 0}
    run |= {"config": {"method": name}, "model": {"name": "m", "digest": "d"}, "sweep": "s"}
    found = [(one.name.partition("/")[0], one) for one in metrics] if status == "done" else []
    return Record(Path(f"/nowhere/{name}"), status, run, {"steps": []}, metrics=found)


def decided(*records, gate=None):
    """(Frame, comparisons, decision) of some records."""
    frame = make_frame(records)
    comparisons = compare_all(frame)
    places = places_of(frame, frame.objectives) if frame.objectives else {}
    return frame, comparisons, decide(frame, comparisons, places, gate)


def random_world(generator: random.Random):
    """A sweep of two to seven models of any quality; a value is missing here and there."""
    records = [model("baseline", 0.6, 1e6, 1.0, baseline=True, half=generator.choice((0.004, 0.02)))]
    for place in range(generator.randrange(1, 7)):
        records.append(
            model(
                f"m{place}",
                None
                if generator.random() < 0.05
                else round(generator.choice((0.5, 0.6, 0.62, 0.7)) + generator.gauss(0, 0.01), 4),
                None if generator.random() < 0.05 else generator.choice((1e6, 1.0001e6, 5e5, 2.5e5, 1.2e6)),
                None
                if generator.random() < 0.2
                else round(generator.choice((1.0, 0.5, 1.3)) + generator.gauss(0, 0.01), 4),
                half=generator.choice((0.004, 0.02, math.inf)),
                status="done" if generator.random() < 0.95 else "failed",
            )
        )
    return records
