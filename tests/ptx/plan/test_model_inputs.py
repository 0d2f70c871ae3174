"""Models that a step reads in addition to its input: named, resolved, keyed by content, and passed on."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx import Choice, Compressor, Method, ModelRef, Problem, SettingError, hookimpl, setting
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.hooks.host import load_host
from ptx.plan.planner import make_plan
from ptx.plan.replan import replan
from ptx.testing import Silent


def read_model(folder):
    return struct.unpack("<f", (folder / "model.safetensors").read_bytes()[-4:])[0]


def write_model(folder, value):
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + struct.pack("<f", value)
    )
    return folder


BASE = ["model=./model", "data=./text.jsonl", "eval=[]"]


@dataclass
class Taught(Method, Compressor):
    """Adds the value of its teacher; a compressor that trains."""

    needs = ("text",)
    teacher: str = setting("start", "whose value is added", identity=False)
    rate: float = setting(0.1, "how fast")

    def __post_init__(self):
        if self.rate < 0:
            raise SettingError(f"method.rate must be positive, got {self.rate}", "method.rate")

    def models(self, before):
        return {"teacher": self.teacher}


class Plugin:
    def __init__(self):
        self.seen = []

    @hookimpl
    def ptx_choices(self):
        return [Choice("method", "taught", Taught), Choice("compress", "taught", Taught)]

    @hookimpl
    def ptx_validate(self, config, models):
        self.seen += [(config.method.rate, models)] if isinstance(config.method, Taught) else []
        wrong = isinstance(config.method, Taught) and config.method.rate == 9
        problem = Problem("method.rate=9 is too fast", "try method.rate=0.1", ("method.rate",))
        return [problem] if wrong else []

    @hookimpl
    def ptx_train(self, run, method, model):
        if not isinstance(method, Taught):
            return None
        value = read_model(model.path) + 100 * read_model(run.models["teacher"].path)
        return ModelRef.of(write_model(run.folder / "model", value))


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def host(host_with, toy, plugin, desk):
    folder = desk / "conf" / "recipe"
    folder.mkdir(parents=True)
    (folder / "heal.yaml").write_text(
        "steps:\n  first: {method: toy}\n  prune: {compress: halve}\n  heal: {compress: taught}\n"
    )
    return host_with(toy=toy, taught=plugin)


def planned(host, *words):
    return make_plan(host, "train", compose_jobs(host, "train", [*BASE, *words]), "ptx test")


def value_of(host, *words):
    plan = planned(host, *words)
    assert run_sweep(plan, host, Silent()).failed == ()
    return read_model(plan.folder / plan.runs[-1].id / "model")


@pytest.mark.parametrize(
    ("teacher", "value"),
    [
        ("start", 0.55 + 100),
        ("first", 0.55 + 110),
        ("prune", 0.55 + 55),
        ("input", 0.55 + 55),
        ("./other", 0.55 + 300),
    ],
)
def test_a_teacher_is_the_start_the_input_a_step_or_a_folder(host, desk, teacher, value):
    write_model(desk / "other", 3.0)
    assert value_of(host, "recipe=heal", f"recipe.steps.heal.teacher={teacher}") == pytest.approx(value)


PTXFILE = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parents[2])!r}, {str(Path(__file__).parent)!r}]
import ptx
from conftest import ToyPlugin
from test_model_inputs import Plugin

toy, taught = ToyPlugin(), Plugin()

@ptx.hookimpl
def ptx_choices():
    ours = [choice for choice in toy.ptx_choices() if choice.group in ("method", "compress")]
    return ours + taught.ptx_choices()

@ptx.hookimpl
def ptx_train(run, method, model, data):
    return taught.ptx_train(run, method, model) or toy.ptx_train(run, method, model, data)

@ptx.hookimpl
def ptx_compress(run, compressor, model):
    known = type(compressor).__name__ in ("Halve", "Round")
    return toy.ptx_compress(run, compressor, model) if known else None
"""


def test_a_step_in_a_process_of_its_own_gets_the_model_too(desk):
    (desk / "ptxfile.py").write_text(PTXFILE)
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "two.yaml").write_text(
        "steps:\n  first: {method: toy}\n  heal: {method: taught, teacher: start}\n"
    )
    host = load_host(desk, {})
    assert value_of(host, "recipe=two", "launch=process") == pytest.approx(1.1 + 100)


def test_the_key_is_made_of_the_content_of_the_teacher_not_of_its_name(host, desk):
    write_model(desk / "other", 3.0)
    shutil.copytree(desk / "model", desk / "copy")

    def key(teacher):
        return planned(host, "method=taught", f"method.teacher={teacher}").runs[-1].steps[0].key

    assert key("start") == key("input") == key("./copy") == key("./model") != key("./other")
    before = key("./other")
    shutil.rmtree(desk / "other")
    write_model(desk / "other", 4.0)
    assert key("./other") != before


def test_a_compressor_that_trains_is_the_same_step_as_the_method(host):
    as_method = planned(host, "method=taught").runs[-1].steps[0]
    as_compressor = planned(host, "method=null", "compress=[taught]").runs[-1].steps[0]
    assert (
        (as_method.kind, as_method.key) == (as_compressor.kind, as_compressor.key) == ("train", as_method.key)
    )
    assert value_of(host, "method=toy", "compress=[taught]", "compress.taught.rate=0.2") == pytest.approx(
        1.1 + 100
    )


def test_plugins_see_the_models_that_are_there_before_anything_runs(host, plugin):
    planned(host, "recipe=heal", "recipe.steps.heal.rate=0.2", "recipe.steps.heal.teacher=start")
    planned(host, "recipe=heal", "recipe.steps.heal.rate=0.3", "recipe.steps.heal.teacher=first")
    assert [(rate, {role: path.name for role, path in models.items()}) for rate, models in plugin.seen] == [
        (0.2, {"teacher": "model"}),
        (0.3, {}),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["recipe=heal", "recipe.steps.heal.teacher=frist"],
            "no model 'frist', and no such folder; did you mean 'first'?",
        ),
        (["recipe=heal", "recipe.steps.heal.teacher=./none"], "there is no model folder none"),
        (
            ["recipe=heal", "recipe.steps.heal.rate=9"],
            "recipe.steps.heal.rate=9 is too fast; try recipe.steps.heal.rate=0.1",
        ),
        (
            ["method=null", "compress=[taught]", "compress.taught.rate=9"],
            "compress.taught.rate=9 is too fast",
        ),
        (
            ["method=null", "compress=[taught]", "compress.taught.rate=-1"],
            "compress.taught.rate must be positive, got -1.0",
        ),
    ],
)
def test_mistakes_are_named_before_anything_runs(host, words, said):
    with pytest.raises(ConfigError) as caught:
        planned(host, *words)
    assert any(said in str(problem) for problem in caught.value.problems), caught.value.problems


def test_a_frozen_run_is_planned_again_with_the_same_keys_and_refused_when_the_teacher_changed(host, desk):
    write_model(desk / "other", 3.0)
    plan = planned(host, "recipe=heal", "recipe.steps.heal.teacher=./other")
    assert run_sweep(plan, host, Silent()).failed == ()
    record = read_json(plan.folder / plan.runs[-1].id / "run.json")
    assert [step.key for step in replan(host, record).steps] == [step.key for step in plan.runs[-1].steps]
    shutil.rmtree(desk / "other")
    write_model(desk / "other", 4.0)
    with pytest.raises(ConfigError, match=r"heal has changed since it was planned: models.teacher.model"):
        replan(host, record)
