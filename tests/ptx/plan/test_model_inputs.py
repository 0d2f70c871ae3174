"""Models that a step reads in addition to its input: named, resolved, keyed by content, and passed on."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx import (
    Choice,
    Compressor,
    Evaluation,
    Evaluator,
    Method,
    Metric,
    ModelRef,
    Problem,
    Scorer,
    SettingError,
    hookimpl,
    setting,
)
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
    (folder / "tokenizer.json").write_text('{"model": {"type": "WordLevel", "vocab": {}, "unk_token": ""}}')
    (folder / "tokenizer_config.json").write_text("{}")
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


@dataclass
class Judged(Method):
    """Makes a model beside the line; its value is ten times its input's."""

    makes = "reward"
    needs = ("text",)


@dataclass
class Liking(Scorer):
    """Scores by the value of a model that an earlier step makes."""

    model: str = setting("", "the step")

    def models(self, before):
        return {"model": self.model} if self.model in before else {}


@dataclass
class Paid(Method):
    """Adds what its scorer gives."""

    needs = ("text",)

    def scorers(self):
        return ["liking"]


@dataclass
class Asking(Evaluator):
    """Measures by the scorer."""

    def scorers(self):
        return ["liking"]


class Beside:
    @hookimpl
    def ptx_choices(self):
        choices = [Choice("method", "judged", Judged), Choice("method", "paid", Paid)]
        return [*choices, Choice("scorer", "liking", Liking), Choice("eval", "asking", Asking)]

    @hookimpl(tryfirst=True)
    def ptx_train(self, run, method, model):
        if isinstance(method, Judged):
            return ModelRef.of(write_model(run.folder / "model", 10 * read_model(model.path)))
        if isinstance(method, Paid):
            (score,) = run.score("liking", ["q"], ["a"], [None])
            return ModelRef.of(write_model(run.folder / "model", read_model(model.path) + score))
        return None

    @hookimpl
    def ptx_score(self, scorer):
        return [read_model(Path(scorer.model))] if isinstance(scorer, Liking) else None

    @hookimpl(tryfirst=True)
    def ptx_evaluate(self, run, evaluator):
        if not isinstance(evaluator, Asking):
            return None
        (score,) = run.score("liking", ["q"], ["a"], [None])
        return Evaluation([Metric("asking/score", score, "points", "higher", score, score, 1)])


RLHF = """
why: beside the line
steps:
  sft: {method: toy}
  rm: {method: judged}
  rl: {method: paid}
"""


@pytest.fixture
def beside(host_with, toy, desk):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "beside.yaml").write_text(RLHF)
    host = host_with(toy=toy, beside=Beside())
    words = ["model=./model", "data=./text.jsonl", "recipe=beside", "scorer.liking.model=rm", "eval=[asking]"]

    def plan(*more):
        return make_plan(
            host, "train", compose_jobs(host, "train", [*words, *more], multirun=True), "ptx test"
        )

    return host, plan


def test_a_model_beside_the_line_is_asked_by_name_and_the_line_goes_on(beside):
    host, plan = beside
    made = plan()
    assert [run.baseline for run in made.runs] == [False]  # the baseline has no such model to ask
    sft, rm, rl = made.runs[0].steps
    assert rm.identity.ingredients["input"] == rl.identity.ingredients["input"] == {"step": sft.key}
    assert rl.identity.ingredients["models"] == {"scorer.liking.model": {"step": rm.key}}
    (asked,) = made.runs[0].evaluations
    assert asked.identity.ingredients["models"] == {"scorer.liking.model": {"step": rm.key}}
    assert run_sweep(made, host, Silent()).failed == ()
    folder = made.folder / made.runs[0].id
    result = read_json(folder / "result.json")
    trained = 1.0 + 0.1
    assert read_model(folder / "rm") == pytest.approx(10 * trained)
    assert read_model(folder / "model") == pytest.approx(trained + 10 * trained)
    assert result["metrics"][0]["value"] == pytest.approx(10 * trained)


def test_another_reward_model_is_another_step_behind_it(beside):
    _, plan = beside
    first, second = plan("recipe.steps.sft.rate=0.1,0.2").runs
    assert first.steps[2].key != second.steps[2].key
