"""What a reader sees of a figure has no "nan" and no "inf" in it."""

from ptx.stats import cohen_kappa
from ptx.stats.words import agreement, between


def test_an_interval_without_ends_is_said_to_be_none():
    assert between(0.1034, 0.6551) == "[0.103, 0.655]"
    assert between(-0.1, 0.2, "+.2f") == "[-0.10, +0.20]"
    assert between(float("-inf"), float("inf")) == between(0, float("inf")) == "[no interval]"


def test_raters_who_know_one_label_only_have_no_kappa_and_the_reason_is_said():
    said = agreement("kappa", cohen_kappa([1, 1, 1], [1, 1, 1]), 3)
    assert said == "no kappa: all labels are the same, so chance alone explains that they agree (n=3)"
    assert agreement("kappa", cohen_kappa([1, 0, 1], [1, 0, 1]), 3).startswith("kappa 1.000 [")
