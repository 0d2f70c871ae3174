"""The split: no exercise is on both sides, in any language or wording."""

import random

import pytest

from ptx_tiny.items import draw_items, is_test
from ptx_tiny.skills import SKILLS


@pytest.mark.parametrize("skill", SKILLS)
def test_training_and_test_draws_share_no_meaning(skill: str):
    rng = random.Random(3)
    train = {item.key for item in draw_items(SKILLS[skill], rng, 900, test=False)}
    test = {item.key for item in draw_items(SKILLS[skill], rng, 60, test=True)}
    assert not train & test
    assert all(is_test(skill, key) for key in test)


def test_a_sum_a_set_of_letters_and_a_mirrored_sequence_each_have_one_key():
    for skill, normal in (
        ("sort", lambda key: "".join(sorted(key))),
        ("reverse", lambda key: min(key, key[::-1])),
    ):
        for item in draw_items(SKILLS[skill], random.Random(1), 200, test=False):
            assert normal(item.key).replace(" ", "") == item.key.replace(" ", "")
    assert all(
        int(item.key.split("+")[0]) <= int(item.key.split("+")[1])
        for item in draw_items(SKILLS["add"], random.Random(1), 200, test=False)
    )


def test_too_many_test_items_are_refused_with_the_number_there_is():
    with pytest.raises(ValueError, match="distinct test items of skill refuse, 5000 wanted"):
        list(draw_items(SKILLS["refuse"], random.Random(0), 5000, test=True))
