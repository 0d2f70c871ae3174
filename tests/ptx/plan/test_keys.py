"""What is in the key of a step or an evaluation, and what is not."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from ptx import Choice, Compressor, Evaluator, Outside, Scorer, hookimpl, setting
from ptx.files import file_digest
from ptx.plan.keys import Ingredients, digests, environment_of, is_later_round, reads_of
from ptx.records import ModelRef


@dataclass
class Timed(Evaluator):
    timed: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    compares: ClassVar[bool] = True


@dataclass
class Asking(Evaluator):
    def scorers(self):
        return ["strict"]


@dataclass
class Strict(Scorer):
    rules: str = setting("rules.txt", "the file of rules", identity=False)

    def inputs(self):
        return [Path(self.rules)]


@dataclass
class Filed(Compressor):
    needs = ()

    def inputs(self):
        return [Path("rules.txt")]


@pytest.fixture
def host(host_with, toy, desk):
    (desk / "rules.txt").write_text("be brief")

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [
                Choice("eval", "timed", Timed),
                Choice("eval", "asking", Asking),
                Choice("scorer", "strict", Strict, libraries=("pluggy",), version="3"),
                Choice("compress", "filed", Filed),
            ]

    return host_with(toy=toy, plugin=Plugin())


@pytest.fixture
def ingredients(host, config_of):
    def make(*words):
        return Ingredients(host, config_of(*words, host=host), "cpu")

    return make


def test_a_part_is_named_with_the_versions_of_its_plugin_and_libraries(ingredients):
    made = ingredients("scorer=[strict]")
    found = made.of("score", made.config.scorer["strict"])
    assert (found["choice"], found["plugin"]) == ("strict", "plugin 1 3")
    assert list(found["libraries"]) == ["pluggy"]
    assert found["config"] == {}


def test_the_content_of_a_file_is_in_the_key_and_its_path_is_not(ingredients, desk):
    before = ingredients("compress=[filed]")
    step = before.config.compress["filed"]
    digest = before.of_step("compress", step, "filed", {"model": "m"}, None)["inputs"]
    assert digest == [file_digest(desk / "rules.txt")]
    (desk / "rules.txt").write_text("be long")
    assert before.of_step("compress", step, "filed", {"model": "m"}, None)["inputs"] != digest


def test_the_scorers_that_an_evaluator_asks_are_in_its_key(ingredients):
    found = ingredients("eval=[asking]").measure("asking", {"model": "m"}, "b").identity.ingredients
    assert found["scorers"]["strict"]["choice"] == "strict"


def test_machine_seed_and_baseline_are_in_the_keys_of_evaluators_that_depend_on_them(ingredients):
    made = ingredients("eval=[timed,latency]")
    timed = made.measure("timed", {"model": "m"}, "b").identity.ingredients
    plain = made.measure("latency", {"model": "m"}, "b").identity.ingredients
    assert {"machine", "seed"} <= timed.keys()
    assert timed["baseline"] == "b"
    assert not {"machine", "seed", "baseline"} & plain.keys()


def test_settings_that_do_not_change_the_result_are_not_in_the_key(ingredients):
    words = ("method.quiet=9", "out=elsewhere", "workers=2", "name=mine")
    keys = []
    for made in (ingredients(), ingredients(*words)):
        keys.append(made.of("train", made.config.method))
    assert keys[0] == keys[1]
    assert "quiet" not in keys[0]["config"]


def test_files_and_folders_are_identified_by_their_content(desk):
    assert digests([desk / "text.jsonl", desk / "model"]) == [
        file_digest(desk / "text.jsonl"),
        ModelRef.of(desk / "model").digest,
    ]


def test_a_step_in_this_environment_adds_nothing_to_its_key():
    assert environment_of(Compressor()) == {}


def test_the_script_and_the_python_of_another_environment_are_in_the_key(tmp_path):
    (tmp_path / "script.py").write_text("print(1)")

    class Elsewhere(Compressor):
        def outside(self):
            return Outside(tmp_path / "script.py", python=sys.executable)

    found = environment_of(Elsewhere())["outside"]
    assert found["script"] == file_digest(tmp_path / "script.py")
    assert found["python"] == platform.python_version()


def test_every_further_shape_that_a_step_reads_is_a_need_of_its_own():
    class Reading(Compressor):
        reads = ("prompts", "text")

    assert reads_of(Reading()) == [("prompts",), ("text",)]


def test_later_rounds_of_a_method_draw_noise_of_their_own_and_other_keys_stay(toy_host, desk):
    from ptx.compose.jobs import compose_jobs
    from ptx.plan.planner import make_plan

    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "rounds.yaml").write_text("rounds: 3\neach: {sft: {method: toy}}\n")
    words = ["model=./model", "data=./text.jsonl", "recipe=rounds", "eval=[]", "seed=7"]
    (run,) = make_plan(toy_host, "train", compose_jobs(toy_host, "train", words), "ptx test").runs
    seeds = [step.identity.ingredients["seed"] for step in run.steps]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    later = [name for name in ("sft", "sft_1", "sft_2", "sft_x", "2") if is_later_round(name)]
    assert later == ["sft_2"]
