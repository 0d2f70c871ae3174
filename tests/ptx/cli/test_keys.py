"""Keys: found by their first characters, in the store and in the records of runs."""

from __future__ import annotations

from pathlib import Path

from ptx.cli.keys import differences, find_key, known_keys, open_store, records_of, shown
from tests.ptx.cli.conftest import STORE, entry_of


def test_a_key_that_is_too_short_is_refused_with_what_it_may_mean(sweep, ptx, monkeypatch):
    plan, *_ = sweep("method.rate=0.1,0.2")
    twins = [run.steps[0] for run in plan.runs[1:]]
    for number, step in enumerate(twins):
        entry_of(step).rename(STORE / "steps" / f"abcd{number}{step.key[5:]}")
    code, _, err = ptx("store", "why", "abcd")
    assert code == 2
    assert "2 keys begin with abcd; type more of it: abcd0" in err
    code, _, err = ptx("store", "why", "abcd9")
    assert code == 2
    assert "no sweep or run 'abcd9'" in err
    assert "no key begins with 'abcd9' either" in err


def test_a_key_is_found_by_four_of_its_characters_and_anything_else_is_no_key():
    known = ["abcd" + "0" * 60, "ef01" + "0" * 60]
    assert find_key("abcd", known) == known[0]
    assert find_key("ef010", known) == known[1]
    assert [find_key(text, known) for text in ("abc", "abce", "train-sweep", "ABCD")] == [None] * 4


def test_differences_are_named_by_field_and_a_missing_field_says_so():
    before = {"config": {"rate": 0.1, "args": {}}, "seed": 0}
    after = {"config": {"rate": 0.2}, "seed": 0, "input": {"step": "f" * 64}}
    assert differences(before, after) == [
        ("config.rate", "0.1", "0.2"),
        ("input.step", "(absent)", "f" * 12),
    ]
    assert differences(before, before) == []


def test_a_value_is_shown_on_one_line_with_its_digests_cut():
    assert shown(f"two\nlines of {'a1' * 32}") == "two lines of a1a1a1a1a1a1"


def test_what_is_known_of_a_key_comes_from_the_store_and_from_every_run_that_needs_it(sweep):
    plan, *_ = sweep("compress=[],[halve]", "name=a")
    known = known_keys(open_store(Path("ptx-out")), records_of(Path("ptx-out")))
    training = known[plan.runs[1].steps[0].key]
    assert (training.kind, training.name, training.short) == ("steps", "toy", training.key[:12])
    assert training.entry is not None
    assert {record.id for record in training.runs} == {run.id for run in plan.runs[1:]}


def test_no_records_are_found_where_nothing_has_run(desk):
    assert records_of(Path("ptx-out")) == []
