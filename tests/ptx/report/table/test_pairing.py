"""Item scores of a metric: only those whose mean is the metric are paired."""

import math

import pytest

from ptx.records import Metric
from ptx.report.table.pairing import index_scores, scores_of
from ptx.report.table.records import Record

NAME = "quiz/right"


def record(tmp_path, value, scores, name=NAME, **columns):
    """A record of one metric, with one row per score."""
    rows = [{"item": str(i), "scores": {name: score}} for i, score in enumerate(scores)]
    for key, values in columns.items():
        rows = [row | {key: one} for row, one in zip(rows, values, strict=True)]
    made = Record(tmp_path, "done", metrics=[("quiz", Metric(NAME, value, "", "higher", value, value, 1))])
    made._rows["quiz"] = rows
    return made


def test_scores_whose_mean_is_the_metric_are_the_items_scores(tmp_path):
    assert scores_of([record(tmp_path, 0.5, [1.0, 0.0])], "quiz", (NAME, "")) == [{"0": 1.0, "1": 0.0}]


def test_scores_whose_mean_is_not_the_metric_are_not_used(tmp_path):
    assert scores_of([record(tmp_path, 0.6, [1.0, 0.0])], "quiz", (NAME, "")) is None


def test_one_record_without_such_scores_is_enough_to_pair_none(tmp_path):
    records = [record(tmp_path, 0.5, [1.0, 0.0]), record(tmp_path, 0.6, [1.0, 0.0])]
    assert scores_of(records, "quiz", (NAME, "")) is None
    assert scores_of([], "quiz", (NAME, "")) is None


def test_the_mean_is_weighted_where_the_rows_have_a_weight(tmp_path):
    weighted = record(tmp_path, 0.75, [1.0, 0.0], weight=[3.0, 1.0])
    assert scores_of([weighted], "quiz", (NAME, "")) == [{"0": 1.0, "1": 0.0}]


def test_an_item_without_a_score_is_kept_as_nan_and_is_not_in_the_mean(tmp_path):
    (scores,) = scores_of([record(tmp_path, 1.0, [1.0, None])], "quiz", (NAME, ""))
    assert scores["0"] == 1.0
    assert math.isnan(scores["1"])


def test_scores_may_be_named_without_the_evaluator(tmp_path):
    assert scores_of([record(tmp_path, 0.5, [1.0, 0.0], name="right")], "quiz", (NAME, "")) is not None


def test_scores_are_indexed_by_name_and_segment():
    rows = [
        {"item": "a", "scores": {"x": 1, "y": 2.0}, "segments": {"language": "de"}},
        {"item": "b", "scores": {"x": 0}},
        {"scores": {"x": 9}},
        {"item": "c", "scores": {"x": "no number"}},
    ]
    found = index_scores(rows)
    assert found["x", ""] == {"a": 1.0, "b": 0.0}
    assert found["x", "language=de"] == {"a": 1.0}
    assert found["y", ""] == {"a": pytest.approx(2.0)}
