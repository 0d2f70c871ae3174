"""The values that steps and evaluators return."""

import math

import pytest

from ptx import ModelRef, Score
from ptx.files import folder_digest
from ptx.records import Evaluation, Metric


def test_a_metric_lies_inside_its_interval():
    assert Metric("accuracy", 0.5, "", "higher", 0.4, 0.6, 100).segment == ""
    with pytest.raises(ValueError, match=r"metric accuracy: 0\.7 lies outside its interval \[0\.4, 0\.6\]"):
        Metric("accuracy", 0.7, "", "higher", 0.4, 0.6, 100)


def test_a_metric_that_could_not_be_measured_has_no_interval():
    assert math.isnan(Metric("accuracy", math.nan, "", "higher", math.nan, math.nan, 0).value)


def test_evaluations_do_not_share_their_rows():
    first, second = Evaluation([]), Evaluation([])
    first.rows.append({"item": "a"})
    assert second.rows == []


def test_a_score_is_a_float_that_says_why_it_is_nan():
    score = Score(math.nan, "unparsable", "I like both.")
    assert math.isnan(score)
    assert (score.status, score.said) == ("unparsable", "I like both.")
    assert Score(0.5) + 1 == 1.5
    assert Score(0.5).status == "ok"


def test_the_reference_to_a_model_holds_the_digest_and_size_of_its_folder(tmp_path):
    (tmp_path / "weights").write_bytes(b"1234")
    model = ModelRef.of(tmp_path, "adapter")
    assert (model.kind, model.bytes, model.digest) == ("adapter", 4, folder_digest(tmp_path))
