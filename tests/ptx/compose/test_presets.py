"""Presets are as good as choices: in lists, in recipes and on their own."""

from __future__ import annotations

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.plan.planner import make_plan

BASE = ["model=./model", "data=./text.jsonl", "method=toy"]


@pytest.fixture
def presets(desk):
    """``write("compress/tenth", ...)``: a user's YAML below ./conf."""

    def write(name, text):
        path = desk / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("compress/tenth", "defaults: [halve]\nkeep: 0.1\n")
    write("method/fast", "defaults: [toy]\nrate: 0.9\n")
    return write


def chain(host, *words):
    return compose_jobs(host, "train", [*BASE, *words])[0].config.chain()


def problems_of(host, *words):
    with pytest.raises(ConfigError) as caught:
        compose_jobs(host, "train", [*BASE, *words])
    return [str(problem) for problem in caught.value.problems]


def test_a_preset_stands_in_a_list_under_its_own_name_and_in_the_order_typed(toy_host, presets):
    for words in (["round", "tenth"], ["tenth", "round"], ["tenth", "halve"]):
        found = chain(toy_host, f"compress=[{','.join(words)}]")
        assert list(found) == ["method", *words]
        assert type(found["tenth"]).__name__ == "Halve"
        assert found["tenth"].keep == 0.1
    assert found["halve"].keep == 0.5


def test_a_sweep_mixes_settings_of_one_choice(toy_host, presets):
    jobs = compose_jobs(toy_host, "train", [*BASE, "compress=[],[halve],[tenth]"], multirun=True)
    assert [[step.keep for step in job.config.compress.values()] for job in jobs] == [[], [0.5], [0.1]]


def test_the_fields_of_a_preset_can_be_set_further(toy_host, presets):
    assert chain(toy_host, "compress=[tenth]", "compress.tenth.keep=0.2")["tenth"].keep == 0.2


def test_a_preset_of_a_preset_changes_what_it_names_and_keeps_the_rest(toy_host, presets):
    presets("compress/sized", "defaults: [tenth]\n")
    presets("compress/wider", "defaults: [tenth]\nkeep: 0.3\n")
    assert [chain(toy_host, f"compress=[{name}]")[name].keep for name in ("sized", "wider")] == [0.1, 0.3]


def test_a_preset_is_the_same_step_as_its_fields_typed_out(toy_host, presets):
    words = (["compress=[tenth]"], ["compress=[halve]", "compress.halve.keep=0.1"])
    plans = [
        make_plan(toy_host, "train", compose_jobs(toy_host, "train", [*BASE, *these]), "ptx test")
        for these in words
    ]
    keys = [plan.runs[-1].steps[-1].key for plan in plans]
    assert keys[0] == keys[1]
    assert [step.name for step in plans[0].runs[-1].steps] == ["toy", "tenth"]


def test_a_step_of_a_recipe_can_be_a_preset(toy_host, presets):
    presets(
        "recipe/both",
        "steps:\n  train: {method: fast}\n  prune: {compress: tenth}\n  again: {compress: tenth, keep:"
        " 0.7}\n",
    )
    found = compose_jobs(toy_host, "train", [*BASE[:2], "recipe=both"])[0].config.chain()
    assert (found["train"].rate, found["prune"].keep, found["again"].keep) == (0.9, 0.1, 0.7)


def test_what_is_wrong_with_a_preset_is_named(toy_host, presets):
    presets("compress/typo", "defaults: [halve]\nkeeep: 0.3\n")
    presets("compress/bare", "keep: 0.3\n")
    assert problems_of(toy_host, "compress=[typo]") == [
        "compress.typo has no field 'keeep'; did you mean 'keep'?"
    ]
    assert problems_of(toy_host, "compress=[bare]") == [
        (
            "compress=bare is a preset of no choice; its YAML must begin with defaults: [NAME], a choice of"
            " compress"
        )
    ]
    assert problems_of(toy_host, "compress=[tenht]") == ["no compress 'tenht'; did you mean 'tenth'?"]


def test_the_baseline_can_be_on_a_runtime_of_its_own(toy_host, desk):
    words = ["model=./model", "eval=[latency]", "baseline_runtime=hf"]
    config = compose_jobs(toy_host, "eval", words)[0].config
    assert type(config.baseline_runtime).__name__ == "Plain"
    assert problems_of(toy_host, "baseline_runtime=hff") == [
        "baseline_runtime=hff: no runtime 'hff'; did you mean 'hf'?"
    ]
