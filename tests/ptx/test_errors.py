import math

import pytest

from ptx import did_you_mean, must_be_at_least, must_be_one_of


def test_a_word_is_one_of_those_that_are_known():
    must_be_one_of("runtime.dtype", "float32", ("auto", "float32"), "auto")
    must_be_one_of("compress.quanto.optimizer", "", ("", "minmax", "hqq"), "hqq")
    with pytest.raises(
        ValueError,
        match=r"^runtime\.dtype must be one of auto, float32, got 'fp32'; try runtime\.dtype=auto$",
    ):
        must_be_one_of("runtime.dtype", "fp32", ("auto", "float32"), "auto")
    with pytest.raises(
        ValueError, match=r"must be one of minmax, hqq, got 'mse'"
    ):  # that it may be left empty is not told
        must_be_one_of("compress.quanto.optimizer", "mse", ("", "minmax", "hqq"), "hqq")


@pytest.mark.parametrize("value", [1, 5, None])
def test_a_number_that_is_large_enough_or_left_out_is_taken(value):
    must_be_at_least("eval.bench.limit", value, 1, 10)


@pytest.mark.parametrize("value", [0, -3, math.nan])
def test_a_number_that_is_too_small_is_refused_with_what_to_try(value):
    with pytest.raises(
        ValueError, match=rf"^eval\.bench\.limit must be at least 1, got {value}; try eval\.bench\.limit=10$"
    ):
        must_be_at_least("eval.bench.limit", value, 1, 10)


def test_what_is_close_is_offered_else_all_that_is_known():
    assert did_you_mean("dppo", ["dpo", "kto"]) == "did you mean 'dpo'?"
    assert did_you_mean("xyz", ["dpo", "kto"]) == "known: dpo, kto"
    assert did_you_mean("xyz", []) == "there is none"
