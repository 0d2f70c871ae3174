import math

import pytest
import torch

import ptx_hf
from ptx import ModelRef, StepError
from ptx_judge import Local, Reward
from ptx_judge.config import Asked
from ptx_judge.local import OPENING, text_for
from ptx_judge.reward import encode
from ptx_judge.rubric import Request

SHORT = (
    "{% block system %}Judge.{% endblock %}{% block user %}{{ question }} {{ answer_a }} or {{ answer_b }}?{%"
    " endblock %}"
)
GRADE = "{% block system %}Judge.{% endblock %}{% block user %}{{ question }} {{ answer }}{% endblock %}"


@pytest.fixture
def rubrics(tmp_path):
    for name, text in (("pair", SHORT), ("grade", GRADE)):
        (tmp_path / f"{name}.jinja").write_text(text)
    return {"pair_rubric": str(tmp_path / "pair.jinja"), "rubric": str(tmp_path / "grade.jinja")}


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


def test_a_judge_s_weights_and_rubrics_decide_its_key(chat_model, rubrics):
    assert len(Local(model=str(chat_model), **rubrics).inputs()) == 3
    assert Asked().comparing().compare is True


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory, chat_model):
    """A one-label classifier with random weights over the chat model's tokens."""
    import shutil

    from transformers import AutoConfig, LlamaForSequenceClassification

    folder = tmp_path_factory.mktemp("reward")
    for path in chat_model.glob("*token*"):
        shutil.copy(path, folder)
    for path in chat_model.glob("*.jinja"):
        shutil.copy(path, folder)
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(chat_model, num_labels=1)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_reward_model_s_scores_do_not_depend_on_their_batch(judging, reward_model):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = judging()
    answers = ["yes", "no, by no means", "x" * 300, "perhaps"]
    found = run.score(Reward(model=str(reward_model), batch_size=3), ["Why?"] * 4, answers, [None] * 4)
    assert (found[2].status, math.isnan(found[2])) == ("failed", True)
    model = AutoModelForSequenceClassification.from_pretrained(reward_model, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    for index in (0, 1, 3):
        ids = torch.tensor([encode(tokenizer, "Why?", answers[index])])
        assert found[index] == pytest.approx(model(input_ids=ids).logits.item(), abs=1e-5)


def test_a_model_that_gives_no_reward_is_refused(judging, chat_model, reward_model, tmp_path):
    import shutil

    with pytest.raises(StepError, match="reward model"):
        judging().score(Reward(model=str(tmp_path)), ["q"], ["a"], [None])
    from transformers import AutoConfig, LlamaForSequenceClassification

    two = tmp_path / "two"
    shutil.copytree(reward_model, two)
    LlamaForSequenceClassification(AutoConfig.from_pretrained(chat_model, num_labels=2)).save_pretrained(two)
    with pytest.raises(StepError, match="has 2 labels, a reward model has one"):
        judging(name="other").score(Reward(model=str(two)), ["q"], ["a"], [None])
