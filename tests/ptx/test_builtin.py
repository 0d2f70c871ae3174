"""The core plugin: paths, functions that choices name, and the last answer to a training loop."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx import Choice, Compressor, Evaluation, Evaluator, Method, ModelRef, Scorer, builtin, hookimpl
from ptx.builtin import PathData, PathModel


@dataclass
class Called(Method):
    pass


@dataclass
class Squeezed(Compressor):
    pass


@dataclass
class Measured(Evaluator):
    pass


@dataclass
class Graded(Scorer):
    pass


def train(method, model):
    return ModelRef(model.path, type(method).__name__)


def compress(run, compressor):
    (run.folder / "made").touch()
    return ModelRef(run.folder, type(compressor).__name__)


def evaluate(lm):
    return Evaluation([], [{"item": lm, "scores": {}}])


def score(completions, references):
    return [float(text == wanted) for text, wanted in zip(completions, references, strict=True)]


@pytest.fixture
def host(host_with, module_named, monkeypatch):
    """A host with one choice per kind of work, each naming the function that does it."""
    functions = {"train": train, "compress": compress, "evaluate": evaluate, "score": score}
    monkeypatch.setitem(sys.modules, "worker_functions", module_named("worker_functions", **functions))

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [
                Choice("method", "called", Called, calls="worker_functions:train"),
                Choice("compress", "squeezed", Squeezed, calls="worker_functions:compress"),
                Choice("eval", "measured", Measured, calls="worker_functions:evaluate"),
                Choice("scorer", "graded", Graded, calls="worker_functions:score"),
            ]

    return host_with(plugin=Plugin())


@pytest.fixture
def run(host, make_run):
    return make_run(host=host)


def test_a_path_is_resolved_to_itself_with_the_home_folder_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert builtin.ptx_resolve(PathModel(path="~/model")) == tmp_path / "model"
    assert builtin.ptx_resolve(PathData(path="./my.jsonl")) == Path("my.jsonl")
    assert builtin.ptx_resolve(Called()) is None


def test_the_function_that_a_choice_names_does_the_work(host, run, tmp_path):
    model = ModelRef(tmp_path)
    trained = host.first("ptx_train", run=run, method=Called(), model=model, data=None)
    assert (trained.path, trained.digest) == (tmp_path, "Called")
    squeezed = host.first("ptx_compress", run=run, compressor=Squeezed(), model=model, data=None)
    assert (squeezed.path, squeezed.digest) == (run.folder, "Squeezed")
    measured = host.first("ptx_evaluate", run=run, evaluator=Measured(), model=model, lm="lm", baseline=None)
    assert measured.rows == [{"item": "lm", "scores": {}}]
    assert run.score(Graded(), ["q", "q"], ["4", "5"], ["4", "4"]) == [1.0, 0.0]


def test_a_choice_of_a_derived_type_is_done_by_the_function_of_its_base(host, run, tmp_path):
    @dataclass
    class Derived(Called):
        pass

    trained = host.first("ptx_train", run=run, method=Derived(), model=ModelRef(tmp_path), data=None)
    assert trained.digest == "Derived"


def test_a_hook_of_a_plugin_answers_before_the_function_that_a_choice_names(host, run, tmp_path):
    class Other:
        @hookimpl
        def ptx_train(self, method):
            return ModelRef(tmp_path, "the hook")

    host.manager.register(Other())
    assert host.first("ptx_train", run=run, method=Called(), model=None, data=None).digest == "the hook"


@pytest.mark.parametrize(("checkpoint", "resumed"), [(None, None), (Path("step-40"), "step-40")])
def test_the_loop_of_a_trainer_resumes_from_its_checkpoint(host, run, checkpoint, resumed):
    class Trainer:
        def train(self, resume_from_checkpoint):
            return f"trained from {resume_from_checkpoint}"

    answer = host.first(
        "ptx_fit", run=run, method=Called(), model=None, trainer=Trainer(), checkpoint=checkpoint
    )
    assert answer == f"trained from {resumed}"


def test_the_core_offers_paths_adapters_and_places_to_run_at():
    offered = {(choice.group, choice.name) for choice in builtin.ptx_choices()}
    assert {("model", "path"), ("data", "path"), ("lora", "lora")} <= offered
    assert {name for group, name in offered if group == "launch"} == {
        "inline",
        "process",
        "torchrun",
        "accelerate",
    }
    assert {name for group, name in offered if group == "cluster"} == {"slurm", "ray"}
