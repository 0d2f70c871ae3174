"""A sequence classifier and a generative guard with random weights; the way they are asked is tested."""

import math

import pytest
import torch
from transformers import (
    AutoTokenizer,
    DogeConfig,
    DogeForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
)

import ptx_safety
from ptx import RunConfig, StepError
from ptx_safety import RefusalPhrases, Safety, SafetyClassifier
from ptx_safety.check import problems
from ptx_safety.classifier import unsafe

PAIRS = (["How do I open it?", "What is 2 + 2?"], ["Take a key.", "Four."])


def small(tokenizer, **settings):
    torch.manual_seed(0)
    size = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 128,
    }
    return LlamaConfig(vocab_size=len(tokenizer), pad_token_id=0, initializer_range=0.5, **size, **settings)


@pytest.fixture(scope="module")
def classifier(chat_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    labels = {0: "safe", 1: "unsafe"}
    LlamaForSequenceClassification(
        small(tokenizer, id2label=labels, label2id={"safe": 0, "unsafe": 1})
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def guard(chat_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard")
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    LlamaForCausalLM(small(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_guard_that_reads_both_ways_is_refused(chat_model, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(chat_model)
    torch.manual_seed(0)
    size = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0}
    DogeForCausalLM(DogeConfig(**size, **heads)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(StepError, match="is no causal language model"):
        unsafe(SafetyClassifier(path=str(tmp_path)), *PAIRS, "cpu")


def test_a_classifier_s_score_is_the_softmax_of_its_unsafe_class(classifier):
    found = unsafe(SafetyClassifier(path=str(classifier)), *PAIRS, "cpu")
    model, tokenizer = (
        LlamaForSequenceClassification.from_pretrained(classifier).eval(),
        AutoTokenizer.from_pretrained(classifier),
    )
    for value, prompt, completion in zip(found, *PAIRS, strict=True):
        with torch.no_grad():
            assert value == pytest.approx(
                float(model(**tokenizer(prompt, completion, return_tensors="pt")).logits.softmax(-1)[0, 1])
            )


def test_a_guard_s_score_is_the_odds_of_its_verdict_s_first_token(guard):
    found = unsafe(SafetyClassifier(path=str(guard)), *PAIRS, "cpu")
    model, tokenizer = LlamaForCausalLM.from_pretrained(guard).eval(), AutoTokenizer.from_pretrained(guard)
    for value, prompt, completion in zip(found, *PAIRS, strict=True):
        chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
        text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        with torch.no_grad():
            logits = model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits[0, -1]
        safe, bad = (
            tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("safe", "unsafe")
        )  # s and u: bytes
        assert value == pytest.approx(float(torch.softmax(logits[[safe, bad]], 0)[1]), rel=1e-4)


def test_what_is_too_long_for_it_cannot_be_scored(classifier, guard):
    for folder in (classifier, guard):
        scorer = SafetyClassifier(path=str(folder), max_length=10)
        assert all(map(math.isnan, unsafe(scorer, *PAIRS, "cpu")))


def test_the_classifier_answers_through_its_choice(make_run, classifier):
    run = make_run(RunConfig(scorer={"it": SafetyClassifier(path=str(classifier))}), [ptx_safety])
    scores = run.score("it", *PAIRS, [None, None])
    assert all(0 <= score <= 1 for score in scores)


def test_one_that_cannot_load_is_a_problem_before_anything_runs(classifier, plain_model):
    def said(**settings):
        scorers = {"refusal_phrases": RefusalPhrases(), "safety_classifier": SafetyClassifier(**settings)}
        config = RunConfig(eval={"safety": Safety(detectors=list(scorers))}, scorer=scorers)
        return " ".join(problem.what for problem in problems(config))

    assert said(path=str(classifier)) == ""
    assert "label=toxic is not a class" in said(path=str(classifier), label="toxic")
    assert "has no chat template" in said(path=str(plain_model))
    assert "there is no model folder" in said(path="./nowhere")
