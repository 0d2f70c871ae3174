"""Tests with a runtime that always continues with the next digit, so that every reply is known."""

import itertools
import math

import numpy as np
import pytest

from ptx.lm.serving.decoding import log_softmax
from ptx.lm.serving.token_model import TokenModel

END = 9


class Digits:
    """A tokenizer of the digits; 9 ends a text."""

    bos_token, bos_token_id, eos_token_id = None, None, END

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": [int(character) for character in text]}

    def decode(self, tokens, skip_special_tokens=False):
        return "".join(str(token) for token in tokens)


class Counting(TokenModel):
    def __init__(self, batch_size=8):
        super().__init__(None, None, max_length=16, vocabulary=10, ends=None, batch_size=batch_size)
        self.tokenizer = Digits()
        self.asked, self.made = [], []

    def scores(self, tokens):
        """The digit after each token is e times as likely as any other."""
        return np.eye(10, dtype=np.float32)[(np.array(tokens) + 1) % 10]

    def prefill(self, rows):
        self.asked.append(list(map(len, rows)))
        return self.scores(rows)

    def steps(self, rows, most, noise=None, *, endless=False):
        self.asked.append(list(map(len, rows)))
        last = np.array(rows)[:, -1]
        for _ in range(most):
            scores = self.scores(last)
            last = (scores if noise is None else noise.perturb(scores)).argmax(axis=-1)
            self.made.append((last.tolist(), endless))
            yield last


def test_a_reply_goes_to_its_end_token_or_to_the_stop_string_and_no_step_is_run_after():
    lm = Counting()
    assert lm.generate(["5", "7", "12"], 12) == ["678", "8", "345678"]
    assert lm.asked == [[2], [1, 1]]
    assert len(lm.made) == 7 + 4
    assert lm.generate(["1", "3"], 12, stop=["67"]) == ["2345", "45"]
    assert lm.generate(["1"], 3) == ["234"]
    assert lm.generate(["0123401234012340"], 4) == ["1234"]


def test_what_is_drawn_for_a_prompt_does_not_depend_on_its_batch():
    prompts = ["1", "12", "3", "45", "6"]
    together = Counting().generate(prompts, 8, temperature=2.0, seed=1)
    assert together == Counting(batch_size=1).generate(prompts, 8, temperature=2.0, seed=1)
    assert together != Counting().generate(prompts, 8, seed=1)
    assert together != Counting().generate(prompts, 8, temperature=2.0, seed=2)


def test_a_log_likelihood_is_the_sum_over_the_continuation_alone():
    likely, other = log_softmax(np.eye(10)[1])[1], log_softmax(np.eye(10)[1])[0]
    assert likely == pytest.approx(1 - math.log(math.e + 9))
    lm = Counting()
    found = lm.loglikelihood([("12", "34"), ("12", "35"), ("19", "0"), ("1", "")])
    assert [score for score, _ in found] == pytest.approx([2 * likely, likely + other, likely, 0.0])
    assert [greedy for _, greedy in found] == [True, False, True, True]
    assert all(len(set(lengths)) == 1 for lengths in lm.asked)


def test_texts_that_are_scored_go_together_padded_at_their_end_and_come_back_in_order():
    lm, rows = Counting(), [[1, 2, 3], [4, 5], [6]]
    found = list(lm.logits(rows))
    assert lm.asked == [[3, 3, 3]]
    assert [len(scores) for scores in found] == [3, 2, 1]
    assert all((scores == lm.scores(row)).all() for scores, row in zip(found, rows, strict=True))


def test_the_end_tokens_are_those_of_package_generation_config_and_tokenizer(tmp_path):
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [4, 5]}')
    lm = Counting()
    lm.folder, lm._ends = tmp_path, 3
    assert lm.ends == [3, 4, 5, END]


def test_what_is_too_long_loses_its_beginning():
    lm = Counting()
    (row,) = itertools.islice(lm.logits([[1, 2]]), 1)
    assert row.shape == (2, 10)
    ((score, _),) = lm.loglikelihood([("01234567890123456", "78")])
    assert score == pytest.approx(2 * (1 - math.log(math.e + 9)))
    assert lm.asked[-1] == [16]


def test_a_timed_request_takes_every_step_it_was_asked_for_though_an_end_token_comes():
    lm = Counting()
    first, rest = lm.time_request(3, 12, batch_size=2)
    assert first > 0
    assert rest > 0
    assert lm.asked == [[3, 3]]
    assert all(endless for _, endless in lm.made)
    assert len(lm.made) == 12
    assert any(END in tokens for tokens, _ in lm.made)


def test_threads_may_ask_at_once_only_where_the_runtime_says_so():
    assert not Counting().concurrent
