"""Values as they are typed."""

import pytest

from ptx.cli.foreign.translation import Translation, shown, typed


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (None, "null"), ([1, "a"], "[1,a]"), ({"a": True}, "{a: true}"), (2e-4, "0.0002")],
)
def test_a_value_is_typed_as_a_user_types_it(value, text):
    assert typed(value) == text


def test_a_long_value_is_cut_where_it_is_only_read():
    assert len(shown("x" * 500)) == 80


def test_every_setting_is_dealt_with_once(tmp_path):
    made = Translation("x", {"known": 3, "off": False, "odd": 1, "easy": 1}, tmp_path)
    made.apply({"known": "seed", "off": "seed"}, {"easy": "done"})
    assert (made.words, made.lost, made.unneeded, made.settings) == (
        ["seed=3"],
        {"odd": "1"},
        {"easy": "done"},
        {},
    )
