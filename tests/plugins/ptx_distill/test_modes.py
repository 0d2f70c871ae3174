"""The teacher's own answers, the student's own answers, and a teacher with another tokenizer."""

import json
import shutil

import pytest

import ptx_distill.answers
from ptx import StepError
from ptx.files import read_json
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_distill import Gold, OnPolicy, Sequence

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


def test_a_teacher_that_never_ends_is_refused(teach, chat_model):
    with pytest.raises(StepError, match="the teacher finished none of its 8 answers within 1 tokens"):
        teach(Sequence, teacher=chat_model, layers=1, rows=PROMPTS, max_new_tokens=1)


def test_the_student_learns_on_its_own_answers(teach, chat_model, losses_of):
    run, result = teach(
        OnPolicy, teacher=chat_model, layers=1, rows=PROMPTS, max_completion_length=8, max_steps=2
    )
    assert len(losses_of(run)) == 2
    assert load_model(result.path).config.num_hidden_layers == 1


def test_a_student_that_equals_its_teacher_has_nothing_to_learn_on_policy(teach, chat_model, tmp_path):
    save_model(load_model(chat_model), load_tokenizer(chat_model), tmp_path / "copy")
    copy = tmp_path / "copy"
    (copy / "note.txt").write_text("the same weights in another folder")
    with pytest.raises(StepError, match="the gradient has been zero"):
        teach(OnPolicy, model=copy, teacher=chat_model, rows=PROMPTS, max_completion_length=8, max_steps=1)


@pytest.fixture(scope="module")
def foreign(chat_model, tmp_path_factory):
    """A teacher whose tokenizer joins letters."""
    folder = tmp_path_factory.mktemp("models") / "foreign"
    shutil.copytree(chat_model, folder)
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokens = [("i", "t"), ("i", "s"), ("w", "h"), ("wh", "at"), ("a", "t")]
    vocabulary = tokenizer["model"]["vocab"]
    for one, other in tokens:
        vocabulary.setdefault(one + other, len(vocabulary))
    tokenizer["model"]["merges"] = [list(pair) for pair in tokens if pair[1] in vocabulary]
    file.write_text(json.dumps(tokenizer))
    network = load_model(chat_model)
    network.resize_token_embeddings(len(vocabulary))
    network.save_pretrained(folder)
    return folder


def test_a_teacher_with_another_tokenizer_is_learnt_from_through_gold(teach, foreign, losses_of):
    run, result = teach(Gold, teacher=foreign, max_steps=2)
    assert len(losses_of(run)) == 2
    assert load_model(result.path).config.vocab_size == 262


def test_another_tokenizer_is_refused_where_tokens_are_compared(teach, foreign):
    from ptx_distill import Distill

    with pytest.raises(StepError, match="has another vocabulary than the student"):
        teach(Distill, teacher=foreign)
