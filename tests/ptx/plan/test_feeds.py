"""The data of the steps, checked before anything runs."""

from __future__ import annotations

import json

import pytest

from ptx import Problem, hookimpl
from ptx.builtin import PathData
from ptx.plan.feeds import Feeds
from ptx.plan.inputs import open_choice
from ptx.records import ModelRef


@pytest.fixture
def feeds_of(toy_host, config_of, desk):
    def make(*words, data="./text.jsonl", host=toy_host):
        config = config_of(*words, host=host)
        opened = open_choice(host, PathData(path=data)) if data else None
        return Feeds(host, config, ModelRef.of(desk / "model"), opened, {})

    return make


def test_every_step_that_reads_data_gets_it_and_the_others_get_none(feeds_of):
    feeds = feeds_of("compress=[halve,round]")
    assert list(feeds.by_step) == ["method", "halve"]  # round has needs = ()
    assert feeds.problems == []
    assert "5 rows: text" in feeds.notes


def test_a_step_that_needs_data_says_so_where_there_is_none(feeds_of):
    (problem,) = feeds_of(data=None).problems
    assert str(problem) == "method=toy needs data (text); give data=tiny, data=./my.jsonl or a folder"


def test_a_shape_that_does_not_fit_is_answered_with_the_methods_that_fit(feeds_of, desk):
    (desk / "pairs.jsonl").write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}) + "\n")
    (problem,) = feeds_of(data="./pairs.jsonl").problems
    assert "method=toy needs text (columns text); ./pairs.jsonl holds pairs" in str(problem)


def test_rows_with_faults_are_problems_with_their_line(feeds_of, desk):
    (desk / "blank.jsonl").write_text('{"text": "a"}\n{"text": " "}\n')
    assert [problem.what for problem in feeds_of(data="./blank.jsonl").problems] == [
        "file blank.jsonl line 2: text is empty"
    ]


def test_warnings_on_rows_are_notes(feeds_of, desk):
    (desk / "twice.jsonl").write_text('{"text": "a"}\n' * 2)
    feeds = feeds_of(data="./twice.jsonl")
    assert feeds.problems == []
    assert any("1 of 2 rows repeat an earlier one" in note for note in feeds.notes)


def test_the_problems_of_plugins_name_the_field_where_the_user_types_it(feeds_of, host_with, toy, desk):
    class Plugin:
        @hookimpl
        def ptx_validate(self, config):
            return [Problem("method.rate is odd", "try method.rate=0.1", ("method.rate",))]

    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "two.yaml").write_text("steps:\n  tune: {method: toy}\n")
    host = host_with(toy=toy, plugin=Plugin())
    assert str(feeds_of(host=host).problems[0]) == "method.rate is odd; try method.rate=0.1"
    (problem,) = feeds_of("method=null", "recipe=two", host=host).problems
    assert str(problem) == "recipe.steps.tune.rate is odd; try recipe.steps.tune.rate=0.1"
