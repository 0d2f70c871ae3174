import math

import pytest

import ptx_hf
from ptx import ModelRef
from ptx_judge import Local
from ptx_judge.local import OPENING, text_for
from ptx_judge.rubric import Request


def test_letters_are_the_log_probabilities_of_the_verdicts(judging, chat_model, rubrics):
    run = judging(None, ptx_hf)
    scorer = Local(model=str(chat_model), read="letters", compare=True, **rubrics)
    (found,) = run.score(scorer, ["Q"], ["x"], ["y"])
    lm = run.host.first("ptx_load", runtime=ptx_hf.HF(), model=ModelRef.of(chat_model), device="cpu")
    text = text_for(lm.tokenizer, Request("Judge.", "Q x or y?")) + OPENING
    scores = {name: lm.loglikelihood([(text, f"{name}]]")])[0][0] for name in "ACB"}
    best = max(scores, key=lambda name: scores[name])
    assert found == {"A": 1.0, "C": 0.5, "B": 0.0}[best]
    assert found.said == " ".join(f"{name} {value:.3f}" for name, value in scores.items())


def test_a_grade_by_letters_is_the_expected_one(judging, chat_model, rubrics):
    run = judging(None, ptx_hf)
    (found,) = run.score(Local(model=str(chat_model), read="letters", **rubrics), ["Q"], ["x"], [None])
    lm = run.host.first("ptx_load", runtime=ptx_hf.HF(), model=ModelRef.of(chat_model), device="cpu")
    text = text_for(lm.tokenizer, Request("Judge.", "Q x")) + OPENING
    weights = [math.exp(lm.loglikelihood([(text, f"{grade}]]")])[0][0]) for grade in range(1, 11)]
    assert found == pytest.approx(sum(g * w for g, w in enumerate(weights, 1)) / sum(weights), rel=1e-4)


def test_a_reply_is_read_and_known_the_next_time(judging, chat_model, rubrics, monkeypatch):
    run = judging(None, ptx_hf)
    scorer = Local(model=str(chat_model), max_new_tokens=4, compare=True, **rubrics)
    first = run.score(scorer, ["Q", "Q2"], ["x", "x"], ["y", "y"])
    assert [one.status for one in first] == ["unparsable", "unparsable"]  # random weights
    monkeypatch.setattr(ptx_hf, "ptx_load", lambda **_: pytest.fail("opened again"))
    again = run.score(scorer, ["Q", "Q2"], ["x", "x"], ["y", "y"])
    assert [one.said for one in again] == [one.said for one in first]
    assert sum("questions for" in line for line in run.console.lines) == 1


def test_a_prompt_that_does_not_fit_is_failed_and_not_cut(judging, chat_model, rubrics):
    run = judging(None, ptx_hf)
    scorer = Local(model=str(chat_model), max_new_tokens=4, compare=True, **rubrics)
    fits, over = run.score(scorer, ["Q", "Q"], ["x", "x" * 300], ["y", "y"])
    assert (fits.status, over.status) == ("unparsable", "failed")
    assert "context leaves 252" in over.said


def test_a_template_without_a_system_role_gets_the_system_part_from_the_user():
    class Strict:
        chat_template = "some"

        def apply_chat_template(self, messages, **_):
            from jinja2 import TemplateError

            if messages[0]["role"] == "system":
                raise TemplateError("System role not supported")
            return "|".join(turn["content"] for turn in messages)

    assert text_for(Strict(), Request("Judge.", "Q")) == "Judge.\n\nQ"
