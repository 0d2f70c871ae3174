"""The shop keeps TRL's contract."""

import pytest

from ptx_tiny.shop import PRICES, PriceList


def test_the_reward_is_that_the_last_result_is_the_answer():
    shop = PriceList()
    shop.reset(answer="12", prompt="ignored")
    assert shop.get_reward() == 0.0
    assert shop.price("fig") == PRICES["fig"]
    assert shop.get_reward() == 0.25  # a call that worked
    assert shop.multiply(4, 3) == 12
    assert shop.get_reward() == 1.0
    shop.reset(answer="12")
    assert shop.get_reward() == 0.0  # nothing is left of the task before
    with pytest.raises(KeyError):
        shop.price("car")
