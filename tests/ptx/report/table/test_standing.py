"""Fronts of a report's rows: what the table says by item and what the front says agree."""

from __future__ import annotations

from ptx.report import load_records, make_frame
from ptx.report.table.standing import places_of
from ptx.stats.items import measure
from tests.ptx.report.runs import exact, write_run, write_sweep

QUALITY, SIZE = "quiz/right", "size/bytes_on_disk"


def frame_of(tmp_path, *models):
    """Models by name, number of right items of 200 (the first ones), and size."""
    for name, right, size in models:
        rows = [{"item": f"q{i:03}", "scores": {QUALITY: float(i < right)}} for i in range(200)]
        metrics = [*measure(QUALITY, "fraction", "higher", rows), exact(SIZE, float(size))]
        write_run(tmp_path / "s" / name, "quiz", rows, metrics, baseline=name == "base")
    write_sweep(tmp_path / "s", *(name for name, _, _ in models))
    return make_frame(load_records([tmp_path / "s"]))


def standing(frame):
    places = places_of(frame, [QUALITY, SIZE])
    labels = {row.number: row.label for row in frame.rows}
    return {labels[number]: (place.standing, labels.get(place.by)) for number, place in places.items()}


def test_a_smaller_model_without_a_measurable_loss_dominates(tmp_path):
    frame = frame_of(tmp_path, ("base", 140, 9e6), ("gptq", 139, 2e6))
    assert standing(frame) == {"base": ("dominated", "gptq"), "gptq": ("front", None)}


def test_a_loss_that_only_the_comparison_by_item_shows_keeps_the_larger_model(tmp_path):
    frame = frame_of(tmp_path, ("base", 140, 9e6), ("gptq", 125, 2e6))
    base, gptq = (row.metric(QUALITY) for row in frame.rows)
    assert base.low < gptq.high  # the intervals overlap, but fifteen items were lost and none gained
    assert standing(frame) == {"base": ("front", None), "gptq": ("front", None)}


def test_a_model_without_the_metric_is_missing(tmp_path):
    frame = frame_of(tmp_path, ("base", 140, 9e6), ("gptq", 139, 2e6))
    del frame.rows[1].metrics[SIZE, ""]
    assert standing(frame)["gptq"] == ("missing", None)


def test_times_of_models_that_were_measured_alone_dominate_nothing(evaluated):
    frame = evaluated("a", "b", "c").frame
    places = places_of(frame, ["quiz/right", "latency/request_seconds"])
    assert {place.standing for place in places.values()} <= {"front", "near"}
