"""Which rows are read together, and scores of token ids on a runtime that only gives logits."""

import math

import numpy as np
import pytest

from ptx.lm.serving import scoring
from ptx.lm.serving.scoring import groups, longest_first, padded, score_tokens


def test_groups_are_the_longest_first_bounded_in_rows_and_leave_out_empty_rows():
    rows = [[1], [], [1, 2, 3], [1, 2], [5]]
    assert list(groups(rows, 2, 10)) == [[2, 3], [0, 4]]


def test_groups_in_order_keep_every_row_where_it_was():
    assert list(groups([[1], [1, 2], [3]], 2, 10, in_order=True)) == [[0, 1], [2]]


def test_a_group_is_bounded_by_the_memory_of_its_scores_when_all_rows_are_as_long_as_the_longest(monkeypatch):
    monkeypatch.setattr(scoring, "MOST_SCORES", 60)
    assert list(groups([[1] * 3, [1] * 3, [1] * 3], 8, 10)) == [[0, 1], [2]]
    assert list(groups([[1], [1] * 9], 8, 10, in_order=True)) == [[0], [1]]


def test_a_group_that_has_enough_tokens_takes_no_row_that_brings_much_padding():
    rows = [[1] * length for length in (300, 180, 170, 165, 90, 4, 3)]
    assert list(groups(rows, 10, 10, enough=256)) == [[0], [1, 2, 3], [4, 5, 6]]
    assert list(groups(rows, 10, 10, enough=10_000)) == [[0, 1, 2, 3, 4, 5, 6]]
    assert list(groups(rows, 10, 10, in_order=True, enough=256)) == [[0], [1, 2, 3], [4, 5, 6]]


def test_rows_are_padded_behind_their_last_token():
    assert padded([[1, 2, 3], (4,)]) == [[1, 2, 3], [4, 4, 4]]
    assert longest_first([[1], [1, 2], []]) == [1, 0, 2]


class Logits:
    """After each token the next number is e times as likely as any other of ten."""

    max_length = 4

    def logits(self, rows):
        self.rows = rows
        for row in rows:
            yield np.eye(10, dtype=np.float32)[(np.array(row) + 1) % 10]


def test_a_runtime_with_nothing_but_logits_scores_token_ids_too():
    likely, other = 1 - math.log(math.e + 9), -math.log(math.e + 9)
    found = score_tokens(Logits(), [([1, 2], [3, 4]), ([1], [5]), ([1], []), ([9] * 9, [0, 1])])
    assert [score for score, _ in found] == pytest.approx([2 * likely, other, 0.0, 2 * likely])
    assert [greedy for _, greedy in found] == [True, False, True, True]


def test_a_pair_longer_than_the_context_loses_its_beginning():
    lm = Logits()
    score_tokens(lm, [(list(range(9)), [3])])
    assert lm.rows == [[5, 6, 7, 8]]


def test_a_group_is_bounded_in_tokens_with_padding_where_that_is_asked_for():
    rows = [[1] * length for length in (3, 9, 4, 8, 2)]
    assert list(groups(rows, 10, 50, tokens=16)) == [[1], [3, 2], [0, 4]]
    assert [len(group) for group in groups(rows, 10, 50, in_order=True, tokens=0)] == [1] * 5
