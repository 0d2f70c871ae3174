"""Recipes: steps in order, the same kind twice, every field can be set from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.compose.recipe import ramp
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.plan.planner import make_plan
from ptx.testing import Silent

BASE = ["model=./model", "data=./text.jsonl", "eval=[latency]"]


@pytest.fixture
def recipes(desk):
    folder = desk / "conf" / "recipe"
    folder.mkdir(parents=True)

    def write(name, text):
        (folder / f"{name}.yaml").write_text(text)

    write(
        "twice",
        "why: to see\nsteps:\n  first: {method: toy}\n  prune: {compress: halve, keep: 0.5}\n  heal: {method:"
        " toy, rate: 0.3}\n",
    )
    return write


def jobs_of(host, *words, **options):
    return compose_jobs(host, "train", [*BASE, *words], **options)


def refusals(host, *words):
    with pytest.raises(ConfigError) as caught:
        jobs_of(host, *words)
    return [str(problem) for problem in caught.value.problems]


def test_the_steps_of_a_recipe_run_in_order_and_a_kind_may_come_twice(toy_host, toy, recipes):
    plan = make_plan(toy_host, "train", jobs_of(toy_host, "recipe=twice"), "ptx test")
    assert [(step.kind, step.name) for step in plan.runs[-1].steps] == [
        ("train", "first"),
        ("compress", "prune"),
        ("train", "heal"),
    ]
    assert run_sweep(plan, toy_host, Silent()).failed == ()
    assert [call for call in toy.calls if "Count" not in call and call != "load"] == [
        "train ToyMethod 0.1",
        "compress Halve",
        "train ToyMethod 0.3",
    ]


def test_any_field_of_a_step_is_set_and_swept_from_the_command_line(toy_host, recipes):
    jobs = jobs_of(toy_host, "recipe=twice", "recipe.steps.prune.keep=0.3,0.5", multirun=True)
    assert [job.config.chain()["prune"].keep for job in jobs] == [0.3, 0.5]


def test_a_recipe_shares_its_first_step_with_the_short_form(toy_host, recipes):
    long = make_plan(toy_host, "train", jobs_of(toy_host, "recipe=twice"), "ptx test").runs[-1]
    short = make_plan(
        toy_host, "train", jobs_of(toy_host, "method=toy", "compress=[halve]"), "ptx test"
    ).runs[-1]
    assert [step.key for step in long.steps[:2]] == [step.key for step in short.steps]


def test_rounds_repeat_steps_and_ramp_a_field_to_its_target(toy_host, recipes):
    recipes(
        "rounds",
        "rounds: 3\neach:\n  prune: {compress: halve}\n  heal: {method: toy}\nramp: {prune: {keep:"
        " 0.6}}\nsteps:\n  last: {compress: round}\n",
    )
    chain = jobs_of(toy_host, "recipe=rounds")[0].config.chain()
    assert list(chain) == ["prune_1", "heal_1", "prune_2", "heal_2", "prune_3", "heal_3", "last"]
    assert [chain[f"prune_{turn}"].keep for turn in (1, 2, 3)] == pytest.approx(
        [ramp(1 / 3, 0.6), ramp(2 / 3, 0.6), 0.6], abs=1e-6
    )
    fewer = jobs_of(toy_host, "recipe=rounds", "recipe.rounds=2", "recipe.ramp.prune.keep=0.4")[
        0
    ].config.chain()
    assert list(fewer) == ["prune_1", "heal_1", "prune_2", "heal_2", "last"]
    assert fewer["prune_2"].keep == pytest.approx(0.4)


def test_the_ramp_starts_at_zero_and_ends_at_the_target():
    assert (ramp(0, 0.6), ramp(1, 0.6)) == (0, 0.6)


def test_adapters_of_a_step_are_written_in_the_step(toy_host, recipes):
    recipes("small", "steps:\n  tune: {method: toy, lora: {r: 4}}\n")
    assert jobs_of(toy_host, "recipe=small")[0].config.chain()["tune"].lora.r == 4


@pytest.mark.parametrize(
    ("written", "digits"), [("coarse", 1), ("{coarse: {digits: 3}}", 3), ("{coarse: null}", 1)]
)
def test_quantisation_aware_training_of_a_step_is_written_in_the_step(qat_host, recipes, written, digits):
    recipes("rounded", f"steps:\n  tune: {{method: toy, qat: {written}}}\n")
    assert jobs_of(qat_host, "recipe=rounded")[0].config.chain()["tune"].qat.digits == digits
    assert (
        jobs_of(qat_host, "recipe=rounded", "recipe.steps.tune.qat.digits=5")[0]
        .config.chain()["tune"]
        .qat.digits
        == 5
    )


def test_an_unknown_name_is_refused_there_too(qat_host, recipes):
    recipes("rounded", "steps:\n  tune: {method: toy, qat: corse}\n")
    with pytest.raises(ConfigError, match=r"recipe step 'tune': no qat 'corse'; did you mean 'coarse'\?"):
        jobs_of(qat_host, "recipe=rounded")


def test_a_step_may_learn_from_another_shape_of_the_family(toy_host, recipes, desk):
    family = desk / "family"
    family.mkdir()
    (family / "text.jsonl").write_text('{"text": "plain"}\n')
    (family / "safety.jsonl").write_text('{"prompt": "x", "harmful": true, "reference": "no"}\n')
    recipes("safe", "steps:\n  tune: {method: toy, data: safety}\n")
    with pytest.raises(ConfigError, match="method=toy needs text"):
        make_plan(toy_host, "train", jobs_of(toy_host, "recipe=safe", "data=./family"), "ptx test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n  a: {method: tooy}\n", "recipe step 'a': no method 'tooy'; did you mean 'toy'?"),
        ("steps:\n  a: {method: toy, rte: 1}\n", "steps.a has no field 'rte'; did you mean 'rate'?"),
        (
            "steps:\n  a: {method: toy, rate: -1}\n",
            "recipe.steps.a.rate must be positive, got -1.0; try recipe.steps.a.rate=0.1",
        ),
        ("steps:\n  a: {rate: 1}\n", "recipe step 'a' must name one choice"),
        ("stps:\n  a: {method: toy}\n", "a recipe has no field 'stps'; did you mean 'steps'?"),
    ],
)
def test_mistakes_in_a_recipe_are_named(toy_host, recipes, text, message):
    recipes("wrong", text)
    assert any(message in problem for problem in refusals(toy_host, "recipe=wrong"))


def test_a_recipe_and_a_method_together_are_refused(toy_host, recipes):
    assert "are both given" in refusals(toy_host, "recipe=twice", "method=toy")[0]


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (Path(__file__).parents[3] / "conf" / "recipe").glob("*.yaml"))
)
def test_every_shipped_recipe_composes_and_says_why(name, tmp_path, monkeypatch):
    from ptx.hooks.host import load_host

    monkeypatch.chdir(tmp_path)
    config = compose_jobs(load_host(tmp_path, {}), "train", [f"recipe={name}"])[0].config
    assert config.recipe["why"]
    assert config.chain()
