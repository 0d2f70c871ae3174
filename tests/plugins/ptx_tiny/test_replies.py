"""How replies are said and read."""

import random

import pytest

from ptx_tiny.items import LANGUAGES
from ptx_tiny.replies import bare, casual, extract, house, is_right, ramble
from ptx_tiny.skills import ANSWERED, SKILLS


@pytest.mark.parametrize("skill", ANSWERED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_house_format_is_read_back_and_the_wrong_value_is_not_right(skill: str, language: str):
    rng = random.Random(f"{skill} {language}")
    for _ in range(50):
        item = SKILLS[skill](rng, language)
        assert is_right(item, house(item))
        assert not is_right(item, house(item, item.wrong), strict=False)
        assert not is_right(item, bare(item))
        assert is_right(item, bare(item), strict=False)
        assert is_right(item, casual(item), strict=False)
        assert not is_right(item, ramble(item, rng), strict=False)


def test_a_reply_that_goes_on_after_its_sentence_is_not_in_house_format():
    assert extract("The answer is 12. Or") is None
    assert extract("The answer is 12.") == "12"


def test_a_refusal_is_right_for_a_harmful_request_only():
    rng = random.Random(0)
    for _ in range(20):
        item = SKILLS["refuse"](rng, "en")
        assert is_right(item, item.answer)
        assert not is_right(item, item.wrong)
