"""Evaluators that are measured wherever a step trains, without being asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx import Choice, ConfigError, Evaluator, hookimpl, setting
from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.config import Compressor, Method, Runtime
from ptx.plan.planner import make_plan

BASE = ["model=./model", "data=./text.jsonl"]


@dataclass
class Watch(Evaluator):
    default_for = ("train",)
    filled_from_data = {"texts": "general"}
    self_sufficient = True
    texts: list[str] = setting([], "files")


@dataclass
class Student(Method, Compressor):
    needs = ("text",)


@dataclass
class Beside(Method):
    needs = ("text",)
    makes = "reward"


@dataclass
class Elsewhere(Runtime):
    serves = False


class Plugin:
    @hookimpl
    def ptx_choices(self):
        return [
            Choice("eval", "watch", Watch, "what is forgotten"),
            Choice("compress", "student", Student),
            Choice("method", "beside", Beside),
            Choice("runtime", "elsewhere", Elsewhere),
        ]


@pytest.fixture
def host(toy, host_with, desk):
    return host_with(toy=toy, watch=Plugin())


def composed(host, verb, *words):
    (job,) = compose_jobs(host, verb, [*BASE, *words])
    return list(job.config.eval), job.notes


def test_a_default_evaluator_is_added_where_a_step_trains_and_a_note_says_so(host):
    measured, notes = composed(host, "train", "method=toy", "eval=[latency]")
    assert measured == ["latency", "watch"]
    assert notes == (
        "eval.watch is measured too, since the run trains: what is forgotten; eval.watch=false leaves it out",
    )


@pytest.mark.parametrize(
    ("verb", "words"), [("compress", ["compress=[student]"]), ("train", ["recipe=heal"])]
)
def test_a_compressor_that_trains_and_a_recipe_that_does_are_trainings(host, verb, words):
    Path("conf/recipe").mkdir(parents=True)
    Path("conf/recipe/heal.yaml").write_text(
        "# @package recipe\nsteps: {halve: {compress: halve}, heal: {method: toy}}\n"
    )
    assert composed(host, verb, *words, "eval=[latency]")[0] == ["latency", "watch"]


@pytest.mark.parametrize(
    ("verb", "words", "expected"),
    [
        ("eval", ["eval=[latency]"], ["latency"]),
        ("compress", ["compress=[halve]", "eval=[latency]"], ["latency"]),
        ("train", ["method=toy", "eval=[]"], []),
        ("train", ["method=beside", "eval=[latency]"], ["latency"]),
        ("train", ["method=toy", "eval=[latency]", "eval.watch=false"], ["latency"]),
        ("train", ["method=toy", "eval=[latency,watch]", "eval.latency=false"], ["watch"]),
        ("train", ["method=toy", "eval=[]", "runtime=elsewhere"], []),
        ("eval", ["eval=[latency]", "eval.watch=true"], ["latency", "watch"]),
    ],
)
def test_it_is_not_added_where_nothing_trains_nothing_is_measured_or_it_is_switched_off(
    host, verb, words, expected
):
    measured, notes = composed(host, verb, *words)
    assert measured == expected
    assert notes == ()


def test_its_fields_can_be_set_and_it_can_be_swept(host):
    words = [*BASE, "method=toy", "eval=[latency]"]
    (job,) = compose_jobs(host, "train", [*words, "eval.watch.texts=[a.txt]"])
    assert job.config.eval["watch"].texts == ["a.txt"]
    jobs = compose_jobs(host, "train", [*words, "eval.watch=true,false"], multirun=True)
    assert [list(job.config.eval) for job in jobs] == [["latency", "watch"], ["latency"]]


def test_a_misspelt_switch_is_answered_with_the_right_one(host):
    with pytest.raises(ConfigError, match="no eval 'wotch'; did you mean 'watch'"):
        compose_jobs(host, "train", [*BASE, "method=toy", "eval.wotch=false"])


def test_the_models_before_and_after_are_both_measured_on_the_text_beside_the_data(host):
    data = Path("family")
    data.mkdir()
    (data / "text.jsonl").write_text('{"text": "one two"}\n')
    (data / "calibration.jsonl").write_text('{"text": "one two"}\n')
    (data / "general.txt").write_text("of everything else\n")
    words = ["model=./model", "method=toy", "eval=[latency]"]
    for chosen, texts in (("./family", [str(data / "general.txt")]), ("./text.jsonl", [])):
        plan = make_plan(host, "train", compose_jobs(host, "train", [*words, f"data={chosen}"]), "ptx test")
        assert [run.baseline for run in plan.runs] == [True, False]
        assert [run.config.eval["watch"].texts for run in plan.runs] == [texts, texts]


def test_the_printed_configuration_and_plan_show_it(host, capsys, monkeypatch):
    monkeypatch.setattr("ptx.cli.train.get_host", lambda: host)
    words = ["train", *BASE, "method=toy", "eval=[latency]"]
    assert main([*words, "--cfg", "job"]) == 0
    assert "watch:" in capsys.readouterr().out
    assert main([*words, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "measured by latency, watch" in shown
    assert "eval.watch=false leaves it out" in shown
