"""Answers of the teacher: generated once, equal to plain generation, finished."""

import pytest

import ptx_distill.answers
from ptx import StepError
from ptx.files import read_json
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_distill import Sequence

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": str(2 * n)} for n in range(8)]


@pytest.fixture(scope="module")
def speaker(chat_model, tmp_path_factory):
    """A teacher that ends its answers soon: half of its next tokens are the end."""
    import torch

    network = load_model(chat_model)
    with torch.no_grad():
        network.get_input_embeddings().weight[2] += 0.4 * network.get_input_embeddings().weight[10:].mean(0)
    network.generation_config.eos_token_id = [2, *range(60, 200)]
    folder = tmp_path_factory.mktemp("models") / "speaker"
    save_model(network, load_tokenizer(chat_model), folder)
    return folder


def answers_in(shelf):
    (entry,) = [entry for entry in shelf.entries() if entry.ingredients["choice"] == "teacher_answers"]
    return read_json(entry.payload / "answers.json")


def test_the_teacher_answers_once_and_the_student_imitates_it(teach, shelf, speaker, losses_of, monkeypatch):
    settings = {"teacher": speaker, "layers": 1, "rows": PROMPTS, "max_new_tokens": 24}
    run, result = teach(Sequence, "first", **settings)
    assert any(answers_in(shelf))
    assert len(losses_of(run)) == 3
    assert result.kind == "full"

    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(ptx_distill.answers, "load_model", fail)
    teach(Sequence, "rate", learning_rate=1e-2, seed=1, **settings)
    with pytest.raises(AssertionError):
        teach(Sequence, "sampled", sampling=1.0, **settings)
    with pytest.raises(AssertionError):
        teach(Sequence, "shorter", **{**settings, "max_new_tokens": 23})


def test_answers_are_those_of_plain_greedy_generation(teach, shelf, speaker):
    teach(Sequence, teacher=speaker, layers=1, rows=PROMPTS, max_new_tokens=24, max_steps=1)
    network, tokenizer = load_model(speaker), load_tokenizer(speaker)
    for row, answer in zip(PROMPTS, answers_in(shelf), strict=True):
        chat = [{"role": "user", "content": row["prompt"]}]
        ids = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )["input_ids"]
        made = network.generate(ids, max_new_tokens=24, do_sample=False, pad_token_id=0)[0, ids.shape[1] :]
        ended = int(made[-1]) in network.generation_config.eos_token_id
        assert answer == (tokenizer.decode(made[:-1], skip_special_tokens=True) if ended else "")


def test_a_teacher_that_finishes_no_answer_is_refused(teach, chat_model):
    with pytest.raises(StepError, match="the teacher finished none of its 8 answers within 1 tokens"):
        teach(Sequence, teacher=chat_model, layers=1, rows=PROMPTS, max_new_tokens=1)
