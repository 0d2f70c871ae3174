"""Errors that say what is wrong, what would be right, and what to type."""

import math

import pytest

from ptx import did_you_mean, must_be_at_least, must_be_more_than, must_be_one_of
from ptx.errors import ConfigError, Problem, PtxError, SettingError, StepError, StoppedError, counted


def test_a_problem_is_a_sentence_and_its_correction():
    assert str(Problem("method.beta is -1", "try 0.1")) == "method.beta is -1; try 0.1"
    assert str(Problem("the disk is full")) == "the disk is full"


@pytest.mark.parametrize(
    ("field", "place", "moved"),
    [
        ("method.beta", "recipe.steps.tune", "recipe.steps.tune.beta"),
        ("compress.gptq.bits", "recipe.steps.quantise", "recipe.steps.quantise.bits"),
        ("method.beta", "compress.distil", "compress.distil.beta"),
        ("seed", "recipe.steps.tune", "seed"),
    ],
)
def test_a_problem_names_its_field_where_the_user_types_it(field, place, moved):
    problem = Problem(f"{field} must be positive", f"try {field}=1", (field,)).at(place)
    assert str(problem) == f"{moved} must be positive; try {moved}=1"
    assert problem.fields == (moved,)


def test_all_problems_of_a_command_are_one_error_without_repetitions():
    error = ConfigError([Problem("a", "b"), Problem("c"), Problem("a", "b")])
    assert [str(problem) for problem in error.problems] == ["a; b", "c"]
    assert str(error) == "a; b\nc"
    assert ConfigError("text").problems == (Problem("text"),)
    assert ConfigError(Problem("one")).problems == (Problem("one"),)


def test_a_refused_command_and_a_failed_step_have_different_exit_codes():
    assert ConfigError("x").exit_code == 2
    assert StepError("x").exit_code == StoppedError("x").exit_code == 1
    assert all(issubclass(error, PtxError) for error in (ConfigError, StepError, StoppedError))


def test_a_refused_setting_is_a_problem_with_its_fields():
    error = SettingError("method.beta must be positive, got -1; try method.beta=0.1", "method.beta")
    assert error.problem == Problem("method.beta must be positive, got -1", "try method.beta=0.1")
    assert error.problem.fields == ("method.beta",)
    assert isinstance(error, ValueError)


def test_a_word_that_is_allowed_passes():
    must_be_one_of("runtime.dtype", "float32", ("auto", "float32"), "auto")
    must_be_one_of("compress.quanto.optimizer", "", ("", "minmax", "hqq"), "hqq")


def test_a_word_that_is_not_allowed_is_refused_with_those_that_are():
    with pytest.raises(
        SettingError,
        match=r"^runtime\.dtype must be one of auto, float32, got 'fp32'; try runtime\.dtype=auto$",
    ):
        must_be_one_of("runtime.dtype", "fp32", ("auto", "float32"), "auto")


def test_an_empty_word_is_allowed_without_being_listed():
    with pytest.raises(SettingError, match=r"must be one of minmax, hqq, got 'mse'"):
        must_be_one_of("compress.quanto.optimizer", "mse", ("", "minmax", "hqq"), "hqq")


@pytest.mark.parametrize("value", [1, 5, None])
def test_a_number_that_is_large_enough_or_left_out_passes(value):
    must_be_at_least("eval.bench.limit", value, 1, 10)


@pytest.mark.parametrize("value", [0, -3, math.nan])
def test_a_number_that_is_too_small_is_refused_with_what_to_try(value):
    with pytest.raises(
        SettingError,
        match=rf"^eval\.bench\.limit must be at least 1, got {value}; try eval\.bench\.limit=10$",
    ) as caught:
        must_be_at_least("eval.bench.limit", value, 1, 10)
    assert caught.value.problem.fields == ("eval.bench.limit",)


def test_a_bound_itself_is_not_more_than_the_bound():
    must_be_more_than("method.beta", 0.1, 0, 0.1)
    for value in (0, math.nan):
        with pytest.raises(SettingError, match=rf"method\.beta must be more than 0, got {value}; try method"):
            must_be_more_than("method.beta", value, 0, 0.1)


def test_the_nearest_known_word_is_offered_or_else_all_of_them():
    assert did_you_mean("dppo", ["dpo", "kto"]) == "did you mean 'dpo'?"
    assert did_you_mean("xyz", ["dpo", "kto"]) == "known: dpo, kto"
    assert did_you_mean("xyz", []) == "there is none"


def test_one_thing_has_no_s_and_its_own_verb():
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [counted(n, "tensor", "is", "are") for n in (1, 3)] == ["1 tensor is", "3 tensors are"]
