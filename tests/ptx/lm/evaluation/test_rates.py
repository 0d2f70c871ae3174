import pytest

from ptx import stats
from ptx.lm.evaluation.rates import bounds, rate, unscored


def row(item, value=None, name="a/rate", **extra):
    return {"item": item, "scores": {} if value is None else {name: value}, "segments": {}, **extra}


def test_a_rate_of_independent_items_has_wilson_s_interval():
    (metric,) = rate("a/rate", [row(str(n), float(n < 3)) for n in range(20)], "lower")
    assert (metric.value, (metric.low, metric.high), metric.n) == (
        0.15,
        pytest.approx(stats.proportion(3, 20)),
        20,
    )


def test_copies_of_an_item_add_no_certainty():
    alone = [row(str(n), float(n < 6)) for n in range(20)]
    copied = [
        {**one, "item": f"{one['item']}:{copy}", "cluster": one["item"]} for one in alone for copy in range(8)
    ]
    (a,), (b,) = rate("a/rate", alone, "lower"), rate("a/rate", copied, "lower")
    assert b.value == a.value
    assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.1)
    (all_alike,) = rate("a/rate", [{**one, "scores": {"a/rate": 1.0}} for one in copied], "lower")
    assert all_alike.low <= stats.proportion(20, 20)[0] + 1e-9


def test_one_cluster_is_one_item():
    (metric,) = rate("a/rate", [row(str(n), float(n % 2), cluster="same") for n in range(4)], "lower")
    assert metric.value == 0.5
    assert metric.high - metric.low > 0.8  # one item, half right


def test_segments_are_rates_of_their_own_unless_they_are_the_whole():
    rows = [
        row(str(n), float(n % 2), segments={"language": "en" if n < 4 else "de", "set": "x"})
        for n in range(10)
    ]
    found = {metric.segment: metric.value for metric in rate("a/rate", rows, "higher")}
    assert found == {"": 0.5, "language=de": 0.5, "language=en": 0.5}


def test_rows_without_a_score_are_in_no_rate_but_in_its_bounds():
    rows = [
        row("a", 1.0),
        row("b", 0.0),
        row("c", float("nan"), status="unscorable"),
        row("d", status="too long"),
    ]
    assert rate("a/rate", rows, "lower")[0].n == 2
    assert unscored("a/unscored_rate", rows)[0].value == 0.5
    assert {metric.name: metric.value for metric in bounds("a/rate", rows, "lower")} == {
        "a/rate/at_best": 0.25,
        "a/rate/at_worst": 0.75,
    }
    assert bounds("a/rate", rows[:2], "lower") == []
    assert rate("a/rate", rows[2:], "lower") == []
