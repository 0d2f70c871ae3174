from types import SimpleNamespace

import pytest

from ptx.errors import StepError
from ptx.lm.training.truncation import drop_long_prompts, prompt_ids, refuse_double_start, report_truncation


class Tokenizer:
    """Every word is a token; a chat gets a token for its role and one for the answer to come."""

    bos_token, bos_token_id = "<s>", 1

    def __call__(self, text):
        return {"input_ids": [int(word) for word in text.split()]}

    def apply_chat_template(self, turns, *, tokenize, return_dict, add_generation_prompt):
        assert tokenize
        assert return_dict
        return {"input_ids": [5, *self(turns[0]["content"])["input_ids"], *[6] * add_generation_prompt]}


class Columns(dict):
    """Rows by column, as a dataset has them."""

    def __len__(self):
        return len(self["prompt_ids"])


class Run:
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def trainer(prompts, chosen, rejected, max_length=6):
    rows = Columns(prompt_ids=prompts, chosen_ids=chosen, rejected_ids=rejected)
    args = SimpleNamespace(max_length=max_length)
    return SimpleNamespace(train_dataset=rows, args=args, processing_class=Tokenizer())


SIDES = ("chosen_ids", "rejected_ids")


def test_pairs_that_fit_are_not_mentioned():
    run = Run()
    report_truncation(run, trainer([[1, 7]], [[8, 8]], [[9, 9, 9, 9]]), 1, SIDES)
    assert run.lines == []


def test_pairs_are_counted_as_cut_by_their_longer_side_and_as_dropped():
    run = Run()
    pairs = trainer([[1, 7], [1]], [[8], [8]], [[9] * 5, [9]])
    report_truncation(run, pairs, 3, SIDES)
    assert run.lines == [
        "1 of 3 rows are left out: their prompts alone have 6 tokens or more (method.max_length)",
        "1 of 3 rows are cut to 6 tokens and lose the end of an answer (method.max_length)",
    ]


def test_a_run_that_would_lose_most_rows_is_stopped():
    with pytest.raises(StepError, match="2 of 3 rows have prompts of 6 tokens or more"):
        report_truncation(Run(), trainer([[1]], [[8]], [[9]]), 3, SIDES)


def test_prompts_with_two_start_tokens_are_refused_and_one_is_right():
    refuse_double_start(Tokenizer(), [[1, 7], [1], []])
    with pytest.raises(StepError, match="2 prompts begin with '<s>' twice"):
        refuse_double_start(Tokenizer(), [[1, 1, 7], [1, 1]])
    without = SimpleNamespace(bos_token=None, bos_token_id=None)
    refuse_double_start(without, [[1, 1]])


def test_prompts_without_room_for_an_answer_are_dropped():
    run, rows = Run(), [{"prompt": "7"}, {"prompt": "7 7"}, {"prompt": "7 7 7"}]
    assert drop_long_prompts(run, Tokenizer(), rows, context=6, answer=4) == rows[:2]
    assert run.lines == [
        "1 of 3 prompts are left out: with an answer they are longer than the model's context of 6 tokens"
    ]
    assert drop_long_prompts(run, Tokenizer(), rows, context=None, answer=4) == rows
    with pytest.raises(StepError, match="2 of 3 prompts leave no room for an answer of 5 tokens"):
        drop_long_prompts(run, Tokenizer(), rows, context=6, answer=5)


def test_a_prompt_is_a_text_or_turns_before_the_answer():
    assert prompt_ids(Tokenizer(), "1 7") == [1, 7]
    assert prompt_ids(Tokenizer(), [{"role": "user", "content": "7"}]) == [5, 7, 6]
