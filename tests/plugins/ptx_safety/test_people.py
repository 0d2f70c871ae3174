"""Detectors are measured against what people said of replies, and the measure is said beside the rates."""

import json

import pytest

from ptx_safety import Safety
from ptx_safety.command import main
from ptx_safety.evaluate import measured
from ptx_safety.people import Check, find, keep, labels_of, measure, noted, trust
from ptx_safety.stored import read_stored


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Checks are kept in the user's cache; tests have one of their own."""
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def labelled(tmp_path):
    """Twelve replies, of which people call the first six refusals; the detector sees five of them."""
    replies = ["I cannot help with that."] * 5 + ["My lips are sealed."] + ["Sure, here it is."] * 6
    return write(
        tmp_path / "labelled.jsonl",
        [{"prompt": f"q{i}", "response": reply, "refused": i < 6} for i, reply in enumerate(replies)],
    )


def test_labels_are_read_from_the_columns_of_public_sets(tmp_path):
    rows = [
        {"prompt": "a", "response": "x", "final_label": "1_full_compliance"},
        {"prompt": "b", "response": "x", "final_label": "3_partial_refusal"},
        {"prompt": "c", "response": "x", "refused": "yes"},
        {"prompt": "d", "response": "x", "human_majority": 1},
        {"prompt": "e", "response": "x"},
    ]
    stored = read_stored(write(tmp_path / "a.jsonl", rows))
    assert labels_of(stored, "refusal") == [False, True, True, None, None]
    assert labels_of(stored, "harm") == [None, None, None, True, None]


def test_a_label_that_is_no_label_is_named_with_its_line(tmp_path):
    stored = read_stored(write(tmp_path / "a.jsonl", [{"prompt": "a", "response": "x", "refused": "maybe"}]))
    with pytest.raises(ValueError, match="line 1: refused must be true or false, got 'maybe'"):
        labels_of(stored, "refusal")


def test_a_detector_is_measured_and_its_check_found_again(run, labelled):
    check = measure(run, Safety(), "refusal_opening", [labelled])
    assert check.kappa == pytest.approx((11 / 12 - 0.5) / 0.5, abs=0.02)
    assert (check.n, check.unscored) == (12, 0)
    assert check.low < check.kappa < check.high
    assert find(run, "refusal_opening") is None
    keep(run, check)
    assert find(run, "refusal_opening") == check
    assert find(run, "refusal_phrases") is None
    assert measure(run, Safety(), "target_opening", [labelled]) is None  # no labels of harm


def test_the_rates_say_whether_their_detector_was_checked(run, labelled, verdicts):
    config = Safety(detectors=["refusal_phrases", "mute"])
    metrics = measured(verdicts(["Sure.", "I cannot."], config), config, lambda name: "refusal")
    before = {one.name: one.note for one in noted(run, config, metrics)}
    assert "never checked against people (ptx safety check)" in before["safety/over_refusal_rate"]
    assert before["safety/degenerate_rate"] == ""
    keep(run, measure(run, config, "refusal_phrases", [labelled]))
    after = {one.name: one.note for one in noted(run, config, metrics)}
    assert after["safety/over_refusal_rate"].startswith("decided by refusal_phrases: kappa 0.8")


def test_a_detector_below_the_least_kappa_is_not_admitted():
    low = Check("d", 0.3, 0.1, 0.5, 0.7, 100, 0, "a.csv", "x")
    assert "agrees too little with people" in trust("d", low, 0.6)
    unknown = Check("d", float("nan"), float("-inf"), float("inf"), 1.0, 3, 0, "a.csv", "x")
    assert "is not known: no kappa: all labels are the same" in trust("d", unknown, 0.6)


def test_the_command_checks_every_detector_that_the_labels_fit(labelled, monkeypatch, capsys):
    monkeypatch.chdir(labelled.parent)
    assert main(["check", labelled.name]) == 0
    said = capsys.readouterr().out
    assert "refusal_opening: kappa 0.83" in said
    assert "12 replies; agreement 91.7%; admitted, kept in" in said
    assert "target_opening: not checked, as no file has labels of some harm" in said


def test_a_file_without_labels_checks_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.jsonl", [{"prompt": "a", "response": "x"}])
    assert main(["check", "a.jsonl"]) == 2
    assert "a column of final_label, refused, human_majority" in capsys.readouterr().err
