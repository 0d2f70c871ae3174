"""Columns of numbers as short texts, and JSON that no page can break out of."""

import json
import math

from ptx.report.page.packed import coded, packed, script_json
from tests.ptx.report.hostile import STRINGS


def test_numbers_keep_six_digits_and_missing_ones_are_empty():
    assert packed([1.0, 0.123456789, None, math.nan, math.inf, -math.inf]) == "1,0.123457,,,inf,-inf"


def test_repeated_texts_are_stored_once():
    assert coded(["a", "b", "a"]) == {"values": ["a", "b"], "of": "0,1,0"}


def test_no_text_can_end_the_data_block():
    for text in STRINGS:
        made = script_json({text: [text]})
        assert not set("<>&") & set(made)
        assert json.loads(made) == {text: [text]}
