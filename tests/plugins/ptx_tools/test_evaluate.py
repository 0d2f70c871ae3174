"""A scripted model on items of BFCL's form."""

import json
import math
from dataclasses import replace

import pytest

import ptx_tools
from ptx import RunConfig
from ptx.testing import undeclared_metrics
from ptx_tools import Tools
from ptx_tools.evaluate import clusters_of, judged, sampled_with
from ptx_tools.items import read_items
from tests.plugins.ptx_tools.conftest import PLAIN, Scripted

AREA = '<tool_call>{"name": "geometry.area", "arguments": %s}</tool_call>'
RIGHT = {
    "simple_python_0": AREA % '{"base": 10, "height": 5}',
    "multiple_0": '<tool_call>{"name": "book", "arguments": {"seats": ["A1", "A2"]}}</tool_call>',
    "parallel_0": AREA % '{"base": 3, "height": 4}' + AREA % '{"base": 1, "height": 2.5}',
    "irrelevance_0": "I cannot do that.",
    "live_relevance_0-0-0": '<tool_call>{"name": "book", "arguments": {}}</tool_call>',
}


@pytest.fixture
def measured(make_run, bfcl):
    def measure(replies, template=None, **settings):
        order = [one.id for one in read_items([str(bfcl)], None)]
        lm = Scripted([replies[name] for name in order], **({"template": template} if template else {}))
        run = make_run(RunConfig(), [ptx_tools])
        evaluator = Tools(files=[str(bfcl)], **settings)
        found = run.host.first("ptx_evaluate", run=run, evaluator=evaluator, model=None, lm=lm, baseline=None)
        assert undeclared_metrics(Tools, found.metrics) == []
        lm.said = run.console.lines
        return {one.name: one.value for one in found.metrics if not one.segment}, found, lm

    return measure


def test_the_right_calls_have_every_point(measured):
    values, found, lm = measured(RIGHT)
    assert values == {
        "tools/accuracy": 1.0,
        "tools/name_accuracy": 1.0,
        "tools/argument_accuracy": 1.0,
        "tools/irrelevance": 1.0,
        "tools/relevance": 1.0,
        "tools/unparsed": 0.0,
    }
    assert {one.segment for one in found.metrics if one.name == "tools/accuracy"} == {
        "",
        "category=multiple",
        "category=parallel",
        "category=simple_python",
    }
    assert all('"name": "geometry.area"' in text or '"name": "book"' in text for text in lm.asked)


def test_a_reply_without_tokens_for_its_call_is_told_from_one_that_is_wrong(measured):
    cut, wrong = '<tool_call> {"name": "geometry.area", "arguments": {"base": 10,', "<tool_call> {nonsense"
    values, found, lm = measured({**RIGHT, "simple_python_0": cut, "parallel_0": wrong}, max_new_tokens=6)
    assert values["tools/unparsed"] == 0.4
    reasons = {row["segments"]["category"]: row["why"] for row in found.rows if row["status"] == "unparsed"}
    assert reasons["simple_python"] == "the reply ends within a call, at eval.tools.max_new_tokens=6"
    assert "no JSON" in reasons["parallel"]
    said = "1 of 5 replies end within a call, at 6 tokens; eval.tools.max_new_tokens=12 leaves them more room"
    assert any(said in line for line in lm.said)


def test_a_model_that_never_calls_has_irrelevance_and_nothing_else(measured):
    values, _, _ = measured(dict.fromkeys(RIGHT, "No."))
    assert (values["tools/accuracy"], values["tools/irrelevance"], values["tools/relevance"]) == (
        0.0,
        1.0,
        0.0,
    )


def test_a_call_that_cannot_be_read_is_a_status_and_bounds_the_rates(measured):
    broken = {**RIGHT, "multiple_0": '<tool_call>{"name": "book", "argum', "irrelevance_0": "<tool_call>{"}
    values, found, _ = measured(broken)
    assert values["tools/accuracy"] == 1.0
    assert values["tools/accuracy/at_worst"] == pytest.approx(2 / 3)
    assert values["tools/unparsed"] == values["tools/unscored"] == pytest.approx(2 / 5)
    assert math.isnan(values["tools/irrelevance"])
    assert values["tools/irrelevance/at_best"] == 1.0
    statuses = {row["segments"]["category"]: row["status"] for row in found.rows}
    assert statuses["multiple"] == statuses["irrelevance"] == "unparsed"
    assert "no JSON" in next(row["why"] for row in found.rows if row["status"] == "unparsed")


def test_names_and_arguments_are_scored_apart(measured):
    wrong = {
        **RIGHT,
        "simple_python_0": AREA % '{"base": 10, "height": 6}',
        "multiple_0": AREA % "{}",
    }
    values, found, _ = measured(wrong)
    assert values["tools/accuracy"] == pytest.approx(1 / 3)
    assert values["tools/name_accuracy"] == pytest.approx(2 / 3)
    assert values["tools/argument_accuracy"] == pytest.approx(
        (0.5 + 1.0) / 2
    )  # none of multiple's calls is asked for
    why = {row["segments"]["category"]: row.get("why") for row in found.rows}
    assert why["multiple"] == "geometry.area instead of book"


def test_a_template_without_tools_gets_them_as_text(measured):
    values, _, lm = measured(RIGHT, template=PLAIN)
    assert values["tools/accuracy"] == 1.0
    assert all("<tool_call>" in text and "You can call functions" in text for text in lm.asked)


def test_recorded_replies_are_judged_without_a_model(make_run, bfcl, tmp_path):
    file = tmp_path / "replies.jsonl"
    replies = {**RIGHT, "simple_python_0": [{"geometry.area": '{"base": 10, "height": 5}'}]}
    del replies["multiple_0"]
    file.write_text("".join(json.dumps({"id": key, "result": one}) + "\n" for key, one in replies.items()))
    run = make_run(RunConfig(), [ptx_tools])
    evaluator = Tools(files=[str(bfcl)], completions=str(file))
    found = run.host.first("ptx_evaluate", run=run, evaluator=evaluator, model=None, lm=None, baseline=None)
    values = {one.name: one.value for one in found.metrics if not one.segment}
    assert values["tools/accuracy"] == 1.0
    assert values["tools/unscored"] == pytest.approx(1 / 5)
    assert file in evaluator.inputs()


def test_items_that_share_a_function_are_one_cluster(bfcl):
    items = read_items([str(bfcl)], None)
    numbers = dict(zip([one.category for one in items], clusters_of(items), strict=True))
    assert numbers["simple_python"] == numbers["parallel"] == numbers["irrelevance"]
    assert numbers["multiple"] == numbers["live_relevance"] != numbers["simple_python"]


def test_few_functions_are_those_that_are_meant_and_many_are_a_sample(bfcl):
    items = read_items([str(bfcl)], None)
    assert sampled_with(items) == [one.item for one in items]
    many = [
        replace(items[0], item=f"{place}", tools=[{"name": f"f{place // 2}"}], expected=[])
        for place in range(80)
    ]
    assert len(set(sampled_with(many))) == 40


def test_a_prompt_that_is_too_long_has_no_verdict(bfcl):
    item = read_items([str(bfcl)], None)[0]
    assert judged(item, "one", (None, list))["status"] == "no reply"
