"""A record may be a stranger's: what has another type than it must is dropped and said."""

from ptx.report.table.record_fields import well_typed


def test_fields_of_their_type_and_unknown_ones_are_kept():
    run = {"config": {}, "seed": 1, "steps": [{"name": "a"}], "overrides": ["a=1"], "other": 3, "data": None}
    assert well_typed("run.json", run) == (run, [])


def test_fields_of_another_type_are_dropped_and_named():
    kept, wrong = well_typed("result.json", {"metrics": [3], "steps": "x", "status": None, "seconds": 1})
    assert kept == {"status": None, "seconds": 1}
    assert wrong == ["result.json: metrics is [3]", "result.json: steps is 'x'"]
