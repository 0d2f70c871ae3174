"""The skills: what holds for the items of every one of them."""

import random

import pytest

from ptx_tiny.items import DIFFICULTIES, LANGUAGES
from ptx_tiny.skills import ANSWERED, SKILLS


@pytest.mark.parametrize("skill", SKILLS)
def test_an_item_has_the_same_key_in_every_language(skill: str):
    keys = [SKILLS[skill](random.Random(5), language).key for language in LANGUAGES]
    assert len(set(keys)) == 1


@pytest.mark.parametrize("skill", SKILLS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_item_is_of_its_skill_and_its_wrong_answer_is_wrong(skill: str, language: str):
    rng = random.Random(7)
    for _ in range(50):
        item = SKILLS[skill](rng, language)
        assert (item.skill, item.language) == (skill, language)
        assert item.difficulty in DIFFICULTIES
        assert item.wrong != item.answer
        assert item.answer in item.plain
        assert not item.choices or item.answer in item.choices


def test_every_skill_but_the_refusal_has_an_answer_that_can_be_checked():
    assert set(SKILLS) - set(ANSWERED) == {"refuse"}
