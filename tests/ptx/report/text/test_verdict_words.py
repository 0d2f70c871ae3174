"""Every verdict can be said."""

from typing import get_args

from ptx.report.formats.view import VERDICT_WORDS
from ptx.report.table.compare import MARKS
from ptx.report.text.forgetting import ORDER, WORDS
from ptx.report.text.verdict_words import AGAINST, QUALITY
from ptx.stats import Verdict


def test_every_verdict_has_its_words_and_its_mark():
    for words in (AGAINST, QUALITY, WORDS, VERDICT_WORDS, MARKS):
        assert set(words) == set(get_args(Verdict))
    assert set(ORDER) == set(get_args(Verdict))
