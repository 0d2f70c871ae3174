"""One rule for numbers: finite, and not negative where the default is not."""

import math
from dataclasses import dataclass

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.compose.numbers import number_problems
from ptx.config import Compressor, RunConfig, setting
from ptx.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("method.rate=nan", "method.rate must be a finite number, got nan"),
        (f"method.quiet={'9' * 400}", "got one of 400 digits"),
        ("method.rate=inf", "method.rate must be a finite number, got inf"),
        ("method.rate=1e400", "method.rate must be a finite number, got inf"),
        ("method.quiet=-3", "method.quiet must be at least 0, got -3; try method.quiet=1"),
        ("method.args.neftune_noise_alpha=nan", "method.args.neftune_noise_alpha must be a finite number"),
        ("method.args={a: [1.0, -inf]}", "method.args.a must be a finite number, got -inf"),
        ("method.quiet=99999999999999999999", "method.quiet"),
        ("eval.latency.scale=-inf", "eval.latency.scale must be a finite number"),
        ("seed=-1", "seed must be from 0 to 4294967295, got -1"),
        ("seed=99999999999", "seed must be from 0 to 4294967295"),
    ],
)
def test_a_number_out_of_range_is_named_by_its_field(toy_host, desk, word, fault):
    words = ["method=toy", "model=./model", "eval=[latency]", word]
    with pytest.raises(ConfigError) as caught:
        compose_jobs(toy_host, "train", words)
    assert fault in str(caught.value)


def test_numbers_in_range_pass_and_negative_ones_in_free_arguments_too(toy_host, desk):
    words = ["method=toy", "model=./model", "method.quiet=0", "method.args.max_steps=-1", "seed=4294967295"]
    (job,) = compose_jobs(toy_host, "train", words)
    assert job.config.method.args == {"max_steps": -1}
    assert math.isfinite(job.config.method.rate)


def test_a_grid_without_an_end_is_refused_before_it_is_written_out(toy_host, desk):
    with pytest.raises(ConfigError, match="span more than 10,000 runs, with 'seed=range"):
        compose_jobs(toy_host, "train", ["method=toy", "seed=range(0,1000000000)"], multirun=True)


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ("rounds: -5", "rounds must be a whole number from 0 to 1000, got -5"),
        ("rounds: 1000000000", "rounds must be"),
        ("rounds: .nan", "rounds must be"),
        ("steps: [sft]", "steps must map names to steps"),
        ("each: 3", "each must map names to steps"),
        ("rounds: 2\neach: {a: {method: toy}}\nramp: {b: {rate: 0.1}}", "ramp names 'b', which is no step"),
        (
            "rounds: 2\neach: {a: {method: toy}}\nramp: {a: {rate: .inf}}",
            "ramp: a.rate must be a finite number",
        ),
        ("rounds: 2\neach: {a: {method: toy}}\nramp: [a]", "ramp must name the fields"),
        ("steps: {../x: {method: toy}}", "the name of a recipe step must be the name of a file"),
    ],
)
def test_a_recipe_out_of_range_is_refused_with_its_field(toy_host, desk, recipe, fault):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "mine.yaml").write_text(recipe)
    with pytest.raises(ConfigError) as caught:
        compose_jobs(toy_host, "train", ["recipe=mine", "model=./model"])
    assert fault in str(caught.value)


def test_a_setting_may_allow_less_than_zero():
    @dataclass
    class Grid(Compressor):
        group: int = setting(128, "-1: one scale per channel", least=-1)

    def told(group):
        return [str(problem) for problem in number_problems(RunConfig(compress={"grid": Grid(group=group)}))]

    assert told(-1) == []
    assert told(-2) == ["compress.grid.group must be at least -1, got -2; try compress.grid.group=128"]
