import pytest

from ptx_bench import Bench
from ptx_bench.evaluate import evaluate
from ptx_bench.shares import Shares


@pytest.mark.parametrize("served", [False, True])
def test_every_row_has_the_seconds_of_its_item(make_run, write_tasks, kinds, lm, served, bare):
    rows = evaluate(make_run(), Bench(tasks=[str(write_tasks(**kinds))]), bare(lm) if served else lm).rows
    assert len(rows) == 18
    assert all(0 < row["latency"] < 60 for row in rows)


def test_seconds_of_a_batch_are_shared_equally_and_those_of_repeated_requests_averaged():
    shares = Shares()
    shares.add([("a", "x"), ("a", "y")], 4.0)
    shares.add([("a", "x")], 6.0)
    shares.add([("b", {"until": ["."], "temperature": 0})], 1.0)
    assert shares.of([("a", "x")]) == 4.0
    assert shares.of([("a", "x"), ("a", "y")]) == 6.0
    assert shares.of([("b", {"temperature": 0, "until": ["."]})]) == 1.0  # the order of settings is no matter


def test_an_item_with_a_request_that_was_never_timed_has_no_seconds():
    shares = Shares()
    shares.add([("a", "x")], 1.0)
    assert shares.of([("a", "x"), ("a", "y")]) is None
    assert shares.of([]) is None
