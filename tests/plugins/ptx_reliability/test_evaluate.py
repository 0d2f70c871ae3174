import json

import pytest

import ptx_hf
import ptx_reliability
import ptx_scorers
from ptx import ModelRef, RunConfig
from ptx.testing import undeclared_metrics
from ptx_hf import HF, ptx_load
from ptx_reliability import Abstention, Reliability, WordSupport
from ptx_reliability.evaluate import agreeing
from ptx_scorers import Answer


class Tokenizer:
    """Words as tokens, no chat template."""

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": text.split()}


class Playback:
    """A language model with given replies by the last line of the prompt; samples are taken in order."""

    tokenizer, max_length, emulated = Tokenizer(), 400, ""

    def __init__(self, replies):
        self.replies = replies

    def generate(self, prompts, max_new_tokens, *, stop=(), temperature=0.0, seed=0):
        found = [self.replies[prompt.strip().splitlines()[-1]] for prompt in prompts]
        return [
            one if isinstance(one, str) else one[place % len(one)] if temperature else one[0]
            for place, one in enumerate(found)
        ]


@pytest.fixture
def evaluated(make_run, tmp_path):
    def run_it(rows, replies, **settings):
        (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = Reliability(questions=[str(tmp_path / "q.jsonl")], max_new_tokens=16, **settings)
        scorers = {"answer": Answer(), "word_support": WordSupport(), "abstention": Abstention()}
        run = make_run(RunConfig(runtime=HF(), scorer=scorers), [ptx_hf, ptx_reliability, ptx_scorers])
        evaluation = run.host.first(
            "ptx_evaluate", run=run, evaluator=config, model=None, lm=Playback(replies), baseline=None
        )
        assert undeclared_metrics(Reliability, evaluation.metrics) == []
        return (
            {m.name.removeprefix("reliability/"): m for m in evaluation.metrics if not m.segment},
            evaluation.rows,
            run.console.lines,
        )

    return run_it


def test_an_answer_is_supported_made_up_or_declined(evaluated):
    rows = [{"prompt": name, "answer": 7} for name in ("right", "wrong", "declined")]
    rows += [{"prompt": "rightly declined", "answerable": False}, {"prompt": "invented", "answerable": False}]
    rows += [
        {"prompt": "by source", "sources": ["Roku flows north."]},
        {"prompt": "against source", "sources": ["Roku flows north."]},
    ]
    replies = {
        "right": "The answer is 7.",
        "wrong": "The answer is 8.",
        "declined": "I do not know.",
        "rightly declined": "I don't know.",
        "invented": "It is 5.",
        "by source": "Roku flows north.",
        "against source": "Muli stands still.",
    }
    metrics, found, _ = evaluated(rows, replies, samples=0)
    assert [row["verdict"] for row in found] == [
        "supported",
        "unsupported",
        "abstained",
        "abstained",
        "unsupported",
        "supported",
        "unsupported",
    ]
    assert [
        metrics[name].value for name in ("hallucination_rate", "supported_rate", "abstention_rate")
    ] == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    assert metrics["hallucination_rate"].better == "lower"


def test_a_citation_is_right_when_its_source_is_there_and_holds_what_is_said(evaluated):
    sources = ["Roku flows north.", "Muli is a king."]
    rows = [{"prompt": name, "sources": sources} for name in ("good", "swapped", "no such", "half")]
    rows += [
        {"prompt": name, "sources": sources, "cites": ["1"], "answer": "north"}
        for name in ("gold", "gold missed", "none")
    ]
    replies = {
        "good": "Roku flows north [1].",
        "swapped": "Roku flows north [2].",
        "no such": "Roku flows north [7].",
        "half": "Roku flows north [1]. Muli is a king [1].",
        "gold": "north [1]",
        "gold missed": "north [2]",
        "none": "north",
    }
    metrics, found, _ = evaluated(rows, replies, samples=0)
    right = [row["scores"].get("reliability/citation_correctness") for row in found]
    assert right == pytest.approx([1, 0, 0, 0.5, 1, 0, float("nan")], nan_ok=True)
    assert (metrics["citation_correctness"].n, metrics["citation_rate"].value) == (6, pytest.approx(6 / 7))


def test_forms_and_instructions_are_counted_where_asked_for(evaluated):
    rows = [
        {"prompt": "json", "schema": {"type": "object"}},
        {"prompt": "no json", "schema": {"type": "object"}},
        {"prompt": "house", "pattern": r"It is \d\."},
        {
            "prompt": "follow",
            "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"],
            "kwargs": [{}, {}],
        },
    ]
    replies = {
        "json": "{}",
        "no json": "[]",
        "house": "It is 3.",
        "follow": "No commas here. This is English text.",
    }
    metrics, found, said = evaluated(rows, replies)
    assert (metrics["format_valid_rate"].value, metrics["format_valid_rate"].n) == (pytest.approx(2 / 3), 3)
    assert found[1]["wrong_format"] == "$: [] is not of type 'object'"
    assert (
        metrics["instructions/prompt_level_strict_acc"].value,
        metrics["instructions/inst_level_strict_acc"].value,
    ) == (0, 0.5)
    assert metrics["instructions/inst_level_strict_acc"].n == 2
    assert any(
        "not measured, because no question has the columns for it: hallucination, citations, self-consistency"
        in line
        for line in said
    )
    assert "hallucination_rate" not in metrics


def test_samples_agree_and_their_majority_is_right_or_not(evaluated):
    rows = [{"prompt": "sure", "answer": 7}, {"prompt": "torn", "answer": 7}]
    replies = {"sure": "The answer is 7.", "torn": ["It is 7.", "8", "The answer is 8.", "9"]}
    _, found, _ = evaluated(rows, replies, samples=4)
    assert [row["scores"]["reliability/self_consistency"] for row in found] == [1, 0.5]
    assert [row["scores"]["reliability/majority_accuracy"] for row in found] == [1, 0]
    assert [row["scores"]["reliability/sample_accuracy"] for row in found] == [1, 0.25]
    assert len(found[1]["samples"]) == 4


def test_questions_that_differ_only_in_what_is_right_are_two(evaluated):
    rows = [
        {"prompt": "which?", "answer": 7},
        {"prompt": "which?", "answer": 8},
        {"prompt": "which?", "answer": 7},
    ]
    metrics, found, _ = evaluated(rows, {"which?": "The answer is 7."}, samples=0)
    assert metrics["supported_rate"].n == len({row["item"] for row in found}) == 2


def test_an_unjudged_majority_is_neither_right_nor_wrong():
    assert agreeing(["a", "a", "b"], [float("nan"), float("nan"), 1.0]) == {
        "reliability/self_consistency": pytest.approx(2 / 3)
    }


def test_empty_replies_and_questions_too_long_have_a_status_and_bounds(evaluated):
    rows = [
        {"prompt": "empty", "answer": 7},
        {"prompt": "word " * 500 + "long", "answer": 7},
        {"prompt": "right", "answer": 7},
    ]
    metrics, found, _ = evaluated(rows, {"empty": " ", "right": "7"}, samples=0)
    assert [row["status"] for row in found] == ["empty", "too long", "ok"]
    assert metrics["unscored_rate"].value == pytest.approx(2 / 3)
    assert (metrics["hallucination_rate"].value, metrics["hallucination_rate"].n) == (0, 1)
    assert metrics["hallucination_rate/at_worst"].value == pytest.approx(2 / 3)


def test_the_embedded_model_answers_the_embedded_questions(make_run):
    import ptx_tiny

    scorers = {"answer": Answer(), "word_support": WordSupport(), "abstention": Abstention()}
    run = make_run(RunConfig(runtime=HF(), scorer=scorers), [ptx_hf, ptx_reliability, ptx_scorers])
    lm = ptx_load(HF(), ModelRef(ptx_tiny.MODEL_FOLDER), "cpu")
    config = Reliability(limit=16, samples=2, max_new_tokens=24)
    first, again = (
        run.host.first("ptx_evaluate", run=run, evaluator=config, model=None, lm=lm, baseline=None)
        for _ in range(2)
    )
    timeless = [[{**row, "latency": 0} for row in one.rows] for one in (first, again)]
    assert (first.metrics, str(timeless[0])) == (
        again.metrics,
        str(timeless[1]),
    )  # nan is not equal to itself
    assert all(row["latency"] > 0 for row in first.rows)
    found = {metric.name: metric for metric in first.metrics if not metric.segment}
    assert found["reliability/hallucination_rate"].n == 16
    assert 0 < found["reliability/format_valid_rate"].value < 1
