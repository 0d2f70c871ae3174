"""Item tables: names of items, and the metrics that are computed from the rows."""

import math

import pytest

from ptx.stats import score_interval
from ptx.stats.items import (
    by_segment,
    column,
    item_ids,
    latency_column,
    measure,
    numbered,
    ratio_scores,
    segments_of,
    unscored,
)

ROWS = [("Say cat.", "cat"), ("Say dog.", "dog"), ("Say sun.", "sun")]


def scored(*scores, **columns):
    return [{"item": str(i), "scores": {"quiz/right": score}, **columns} for i, score in enumerate(scores)]


def test_items_of_a_reordered_or_longer_file_keep_their_names():
    names = dict(zip(ROWS, item_ids("task", ROWS), strict=True))
    longer = [("Say moon.", "moon"), *reversed(ROWS)]
    again = dict(zip(longer, item_ids("task", longer), strict=True))
    assert {row: again[row] for row in ROWS} == names
    assert len(set(again.values())) == 4


def test_the_right_answer_is_part_of_the_content_and_the_task_of_the_name():
    (name,) = item_ids("task", [("Say cat.", "cat")])
    assert item_ids("task", [("Say cat.", "dog")]) != [name]
    assert item_ids("other", [("Say cat.", "cat")]) == [name.replace("task", "other")]


def test_the_same_content_again_gets_a_number():
    first, second = item_ids("task", [ROWS[0], ROWS[0]])
    assert second == f"{first}:2"
    assert numbered(["a", "b", "a", "a"]) == ["a", "b", "a:2", "a:3"]


def test_an_unknown_time_gives_no_column():
    assert latency_column(None) == {}
    assert latency_column(0.25) == {"latency": 0.25}


def test_a_metric_and_its_segments_are_the_means_of_the_rows_scores():
    rows = scored(1.0, 0.0, segments={"language": "en"}) + scored(1.0, segments={"language": "de"})
    whole, german, english = measure("quiz/right", "fraction", "higher", rows)
    assert (whole.value, whole.n, whole.segment) == (pytest.approx(2 / 3), 3, "")
    assert (german.segment, german.value, german.n) == ("language=de", 1.0, 1)
    assert (english.segment, english.value, english.n) == ("language=en", 0.5, 2)
    assert (whole.low, whole.high) == score_interval([1.0, 0.0, 1.0])[1:]


def test_rows_of_one_cluster_make_the_interval_wider():
    alone, grouped = (
        measure("quiz/right", "fraction", "higher", rows)[0]
        for rows in (
            scored(*[1.0] * 12),
            [{**row, "cluster": i // 4} for i, row in enumerate(scored(*[1.0] * 12))],
        )
    )
    assert grouped.low < alone.low


def test_an_unscored_row_counts_as_unscored_and_not_as_zero():
    rows = [*scored(1.0, 1.0), {"item": "9", "scores": {"quiz/right": None}, "status": "unparsable"}]
    (metric,) = measure("quiz/right", "fraction", "higher", rows)
    assert (metric.value, metric.n) == (1.0, 2)
    (share,) = unscored("quiz", rows)
    assert (share.name, share.value, share.n) == ("quiz/unscored", pytest.approx(1 / 3), 3)
    assert unscored("quiz", rows[:2]) == []


def test_a_metric_without_any_score_is_nan_over_no_items():
    (metric,) = measure("quiz/right", "fraction", "higher", scored(None, math.nan))
    assert math.isnan(metric.value)
    assert metric.n == 0


def test_a_row_without_a_cluster_is_its_own_and_without_a_weight_weighs_one():
    rows = [{"item": "a", "cluster": "c", "weight": 3.0}, {"item": "b"}]
    assert column(rows, "cluster") == ["c", "b"]
    assert column(rows, "weight") == [3.0, 1.0]
    assert column(rows, "nothing") is None


def test_segments_are_the_usual_columns_unless_others_are_chosen():
    record = {"language": "de", "skill": "", "level": 3}
    assert segments_of(record) == {"language": "de"}
    assert segments_of(record, ["level"]) == {"level": "3"}
    assert list(by_segment([{"segments": {"b": 1}}, {"segments": {"a": 2}}, {}])) == ["a=2", "b=1"]


def test_the_weighted_mean_of_the_ratio_scores_is_the_perplexity():
    nats, tokens, weights = [30.0, 8.0, 21.0], [10.0, 4.0, 9.0], [10.0, 4.0, 9.0]
    scores = list(ratio_scores(nats, tokens, weights))
    mean = math.fsum(w * s for w, s in zip(weights, scores, strict=True)) / math.fsum(weights)
    assert mean == pytest.approx(math.exp(59 / 23))
    assert scores[0] > scores[1]  # more nats per token


@pytest.mark.parametrize(("unit", "least"), [("bits/byte", 0.0), ("nats/token", 0.0), ("perplexity", 1.0)])
def test_an_interval_of_few_unlike_texts_ends_where_its_unit_does(unit, least):
    rows = [{"item": f"t{n}", "scores": {"x": score}} for n, score in enumerate([1.01, 1.02, 1.03, 9.0])]
    (metric,) = measure("x", unit, "lower", rows)
    assert metric.low == least
    (free,) = measure("x", "points", "lower", rows)
    assert free.low < 0
    assert (free.value, free.high) == (metric.value, metric.high)
