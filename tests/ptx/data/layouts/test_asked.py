"""Where the prompt of a row with several replies stands."""

import pytest

from ptx.data.layouts.asked import asked, side, spoken
from ptx.data.tools import RowError


def test_the_usual_columns_come_first():
    assert asked({"history": "h", "prompt": "q"}) == ("prompt", {})
    assert asked({"question": {"full_text": "q", "id": 1}}) == ("question", {"question": "q"})
    assert asked({"history": "h"}) == ("history", {"prompt": "h"})
    assert asked({"model_a": "x"}) == ("", {})


def test_a_post_or_an_article_is_asked_to_be_summarised():
    assert asked({"info": {"article": "long", "title": "T", "post": None}})[1] == {
        "prompt": "TITLE: T\n\nlong\n\nTL;DR:"
    }
    with pytest.raises(RowError, match="info must hold a post or an article"):
        asked({"info": {"title": "T"}})


def test_lists_of_prompts_and_replies_are_a_conversation():
    assert [turn["content"] for turn in spoken('["a", "b"]', ["c", "d"])] == ["a", "c", "b", "d"]
    assert spoken("a", '["c"]') is None
    with pytest.raises(RowError, match="a reply to each of 2 prompts"):
        spoken(["a", "b"], ["c"])
    with pytest.raises(RowError, match="a reply to each of 1 prompts"):
        spoken('["a"]', "[null]")


def test_a_conversation_is_cut_behind_the_turn_that_was_judged():
    turns = [{"from": who, "value": "x"} for who in ("human", "gpt", "human", "gpt")]
    assert len(side(turns, 1)) == 2
    assert len(side(turns, 2)) == len(side(turns, None)) == len(side(turns, True)) == 4
    assert side({"content": "text"}, None) == "text"
