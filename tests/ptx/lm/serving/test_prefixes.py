import random

from ptx.lm.serving.prefixes import headers, shared, stems


def saved(rows, found):
    return sum(length * (len(places) - 1) for length, places in found if length)


def test_the_choices_of_one_context_are_tails_of_one_stem():
    (stem,) = stems([([1, 2, 3], [7, 8]), ([1, 2, 3], [9, 8, 7]), ([1, 2, 3], [9])], 100)
    assert stem.tokens == (1, 2, 3)
    assert stem.tails == {(7,): [0], (9, 8): [1], (): [2]}
    assert stem.wanted == 1


def test_continuations_that_differ_in_their_last_token_only_are_one_row():
    (stem,) = stems([([1, 2], [5, 6]), ([1, 2], [5, 7])], 100)
    assert (stem.tokens, stem.tails, stem.wanted) == ((1, 2, 5), {(): [0, 1]}, 2)


def test_a_request_that_is_too_long_loses_its_beginning_as_it_does_alone():
    (stem,) = stems([([1, 2, 3, 4], [5, 6])], 3)
    assert stem.tokens == (3, 4, 5)
    assert stem.continuations == {0: (5, 6)}


def test_rows_that_begin_alike_get_a_header_and_each_task_its_own():
    rng = random.Random(0)
    system = [rng.randrange(100) for _ in range(20)]
    tasks = [system + [rng.randrange(100) for _ in range(40)] for _ in range(2)]
    rows = [tuple(tasks[number % 2] + [100 + number, 3, 4]) for number in range(40)]
    found = headers(rows, [1] * 40)
    assert sorted((length, len(places)) for length, places in found) == [(60, 20), (60, 20)]
    for length, places in found:
        assert len({rows[place][:length] for place in places}) == 1


def test_the_tokens_whose_scores_are_wanted_stay_behind_the_header():
    rows = [tuple(range(30)) for _ in range(8)]
    assert headers(rows, [5] * 8) == [(25, list(range(8)))]


def test_few_rows_or_a_short_beginning_get_no_header():
    rows = [(*range(30), number) for number in range(7)]
    assert headers(rows, [1] * 7) == [(0, list(range(7)))]
    assert headers([(1, 2, number) for number in range(50)], [1] * 50)[0][0] == 0
    assert headers([], []) == []


def test_every_row_is_in_exactly_one_group_and_really_begins_with_its_header():
    rng = random.Random(1)
    rows = [
        tuple(
            rng.choice([[1] * 20, [1] * 10 + [2] * 30, []])
            + [rng.randrange(3) for _ in range(rng.randrange(2, 40))]
        )
        for _ in range(300)
    ]
    found = headers(rows, [1] * 300)
    assert sorted(place for _, places in found for place in places) == list(range(300))
    assert all(len({rows[place][:length] for place in places}) == 1 for length, places in found)
    assert saved(rows, found) > 20 * 100


def test_what_two_rows_share_ends_where_one_ends():
    assert (shared([1, 2, 3], [1, 2, 4]), shared([1, 2], [1, 2, 3]), shared([], [1])) == (2, 2, 0)
