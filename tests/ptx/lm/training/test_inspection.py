from types import SimpleNamespace

import pytest

from ptx.errors import StepError
from ptx.lm.training.inspection import MASKED, Counts, check_rows, count, stop_tokens

START, END, WORD, NEWLINE = 1, 2, 7, 8


def example(*ids, trained=None):
    """A row whose last ``trained`` tokens are in the loss; by default all are."""
    masked = 0 if trained is None else len(ids) - trained
    return {"input_ids": list(ids), "labels": [MASKED] * masked + list(ids[masked:])}


class Tokenizer:
    bos_token, bos_token_id, eos_token_id = "<s>", START, END

    def convert_ids_to_tokens(self, ids):
        return [{END: "</s>"}.get(token, "?") for token in ids]

    def decode(self, ids):
        return " ".join(map(str, ids))


class Run:
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def trainer(*examples, max_length=10, packing=False, ends=None):
    return SimpleNamespace(
        args=SimpleNamespace(max_length=max_length, packing=packing),
        train_dataset=list(examples),
        processing_class=Tokenizer(),
        model=SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=ends)),
    )


GOOD = example(START, WORD, WORD, END)


def test_rows_are_counted_by_cut_end_token_and_double_start():
    examples = [
        GOOD,
        example(START, WORD, END, NEWLINE),  # a template may add a newline
        example(START, WORD, END, WORD, trained=1),  # the end token is not in the loss
        example(START, START, WORD, END),
        example(START, *[WORD] * 9),
    ]
    assert count(examples, 10, START, {END}) == Counts(rows=5, cut=1, whole=4, stopped=3, double_start=1)
    assert count(examples, None, None, {END}) == Counts(rows=5, cut=0, whole=5, stopped=3, double_start=0)


def test_good_rows_are_not_mentioned():
    run = Run()
    check_rows(run, trainer(GOOD, GOOD), [{}, {}])
    assert run.lines == []


def test_dropped_cut_and_endless_rows_are_reported():
    run = Run()
    rows = trainer(GOOD, example(START, *[WORD] * 9), example(START, WORD, WORD))
    check_rows(run, rows, [{}] * 4)
    assert run.lines == [
        "1 of 4 rows are left out: nothing of their answer fits into 10 tokens",
        "1 of 4 rows are cut to 10 tokens and lose their end (method.max_length)",
        "1 of 4 rows do not train an end token: the model learns to continue after them",
    ]


@pytest.mark.parametrize(
    ("examples", "given", "message"),
    [
        ([GOOD], 3, "2 of 3 rows have no token left to train on after being cut to 10 tokens"),
        ([example(START, START, WORD, END)], 1, "1 of 1 rows begin with '<s>' twice"),
        (
            [example(START, WORD, END, WORD, trained=1)],
            1,
            "no row trains the model to stop: generation ends at '</s>', .* ends with '7'",
        ),
    ],
)
def test_rows_that_teach_nothing_or_the_wrong_thing_stop_the_run(examples, given, message):
    with pytest.raises(StepError, match=message):
        check_rows(Run(), trainer(*examples), [{}] * given)


def test_packed_rows_are_not_counted():
    run = Run()
    check_rows(run, trainer(example(START, START), packing=True), [{}] * 9)
    assert run.lines == []


def test_generation_stops_at_the_tokenizers_and_the_models_end_tokens():
    assert stop_tokens(trainer().model, Tokenizer()) == {END}
    assert stop_tokens(trainer(ends=[5, 6]).model, Tokenizer()) == {END, 5, 6}
    assert stop_tokens(trainer(ends=5).model, Tokenizer()) == {END, 5}
