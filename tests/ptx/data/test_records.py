"""Places in words, and faults that are told once for each kind."""

from ptx.data.records import Fault, Record, findings, kind_of, more


def place(line, file="my.jsonl", unit="line"):
    return Record(file, line, {}, unit)


def test_a_place_names_the_file_and_what_its_numbers_count():
    assert place(3).place == "file my.jsonl line 3"
    assert place(3, "my.parquet", "row").place == "file my.parquet row 3"
    assert place(0).place == "file my.jsonl"


def test_faults_that_differ_only_in_the_value_are_one_finding():
    faults = [Fault(place(n), f"x must be text, got {n}", f"fix {n}") for n in range(1, 400)]
    (problem,) = findings(faults, 500)
    assert str(problem) == (
        "file my.jsonl line 1: x must be text, got 1 (and 398 more of 500 rows: lines 2, 3, 4, ...); fix 1"
    )
    assert kind_of("x must be text, got 1, got 2") == "x must be text"


def test_each_file_and_each_kind_has_its_own_finding_and_all_of_them_are_bounded():
    faults = [Fault(place(1), "a"), Fault(place(1, "other.jsonl"), "a"), Fault(place(2), "b")]
    assert len(findings(faults)) == 3
    many = findings([Fault(place(n), f"kind {n}") for n in range(1, 1000)])
    assert len(many) == 13
    assert many[-1].what == "987 further kinds of mistakes are not listed"


def test_a_row_with_two_faults_of_a_kind_counts_once():
    assert more([place(1), place(2), place(2)]) == " (and 1 more row: line 2)"
    assert more([place(1), place(1)]) == ""
    assert more([place(1)]) == ""
