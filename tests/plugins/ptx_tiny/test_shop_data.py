"""The data of the shop: what it says is what the tools say."""

import json

from transformers.utils import get_json_schema

from ptx_tiny.shop import PriceList
from ptx_tiny.shop_data import TOOLS, write_shop


def rows(path):
    return [json.loads(line) for line in path.open()]


def test_the_definitions_are_those_of_the_methods():
    found = [get_json_schema(getattr(PriceList, name)) for name in ("multiply", "price")]
    for one in found:
        one["function"].pop("return")
    assert found == TOOLS


def test_the_demonstrations_hold_what_the_tools_answer(tmp_path):
    write_shop(tmp_path, tmp_path)
    shop = PriceList()
    for row in rows(tmp_path / "messages.jsonl"):
        shop.reset()
        results = [turn["content"] for turn in row["messages"] if turn["role"] == "tool"]
        calls = [call["function"] for turn in row["messages"] for call in turn.get("tool_calls", ())]
        assert [str(getattr(shop, one["name"])(**one["arguments"])) for one in calls] == results
    assert len(rows(tmp_path / "prompts.jsonl")) == 240
    held = rows(tmp_path / "tools.jsonl")
    assert sum(not row["calls"] for row in held) == 24
