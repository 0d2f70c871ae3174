"""The column lists of public data sets: every name is used, or told as not trained on, or refused."""

import json

import pytest

from ptx.data.names import COMPANIONS, MESSAGE_KEYS, ROLE_NAMES, USED
from ptx.data.turns import ROLES


def turns(*texts, roles=("user", "assistant")):
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]


def said(*texts):
    return [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)]


TOOL = {"name": "find", "description": "finds things", "parameters": {"q": {"type": "str"}}}
WRAPPED = {"type": "function", "function": TOOL}
CALL = {"type": "function", "function": {"name": "find", "arguments": {"q": "tea"}}}
SYSTEM = {"role": "system", "content": "Be kind."}
QA = turns("q", "a")
#: data set -> (a row, the shape, what is made of it, the names that are told as not trained on)
READ = {
    "ultrachat": (
        {"prompt": "q", "prompt_id": "1", "messages": turns("q", "a", "more", "b")},
        "messages",
        {"messages": turns("q", "a", "more", "b")},
        ["prompt", "prompt_id"],
    ),
    "openorca": (
        {"id": "niv.1", "system_prompt": "Be kind.", "question": "q", "response": "a"},
        "messages",
        {"messages": [SYSTEM, *QA]},
        ["id"],
    ),
    "slimorca": (
        {
            "conversations": [
                {"from": "system", "value": "Be kind.", "weight": None},
                {"from": "human", "value": "q", "weight": 0.0},
                {"from": "gpt", "value": "a", "weight": 1.0},
            ]
        },
        "messages",
        {"messages": [SYSTEM, *QA]},
        [],
    ),
    "alpaca with history": (
        {"instruction": "q", "input": "", "output": "a", "system": "Be kind.", "history": [["h", "r"]]},
        "messages",
        {"messages": [SYSTEM, *turns("h", "r", "q", "a")]},
        [],
    ),
    "alpaca with empty history": (
        {"instruction": "q", "input": "", "output": "a", "system": "", "history": []},
        "completions",
        {"prompt": "q", "completion": "a"},
        [],
    ),
    "sharegpt with tools": (
        {
            "conversations": [
                *said("q"),
                {"from": "function_call", "value": json.dumps(CALL["function"])},
                {"from": "observation", "value": "42"},
                {"from": "gpt", "value": "It is 42"},
            ],
            "system": "Be kind.",
            "tools": json.dumps([TOOL]),
        },
        "messages",
        {
            "messages": [
                SYSTEM,
                QA[0],
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "42"},
                {"role": "assistant", "content": "It is 42"},
            ],
            "tools": [WRAPPED],
        },
        [],
    ),
    "xlam": (
        {"id": 1, "query": "q", "answers": json.dumps([CALL["function"]]), "tools": json.dumps([TOOL])},
        "messages",
        {
            "messages": [QA[0], {"role": "assistant", "content": None, "tool_calls": [CALL]}],
            "tools": [WRAPPED],
        },
        ["id"],
    ),
    "hermes, whose system text defines the tools": (
        {
            "id": "1",
            "conversations": [{"from": "system", "value": f"<tools> {TOOL} </tools>"}, *said("q", "a")],
            "tools": json.dumps([WRAPPED]),
            "task": "t",
        },
        "messages",
        {"messages": [{"role": "system", "content": f"<tools> {TOOL} </tools>"}, *QA]},
        ["id", "task"],
    ),
    "openai, with weights": (
        {"messages": [QA[0], {**QA[1], "weight": 0}, *turns("again", "good")], "parallel_tool_calls": False},
        "messages",
        {"messages": [QA[0], {**QA[1], "train": False}, *turns("again", "good")]},
        ["parallel_tool_calls"],
    ),
    "open assistant, with calculate_loss": (
        {"messages": [QA[0], {**QA[1], "calculate_loss": 0}, *turns("again", "good")]},
        "messages",
        {"messages": [QA[0], {**QA[1], "train": False}, *turns("again", "good")]},
        [],
    ),
    "sql-create-context": (
        {"question": "q", "context": "CREATE TABLE t (a INT)", "answer": "a"},
        "completions",
        {"prompt": "q\n\nCREATE TABLE t (a INT)", "completion": "a"},
        [],
    ),
    "a question with several passages": (
        {"question": "q", "context": ["one", "two"], "answer": "a", "id": "1"},
        "completions",
        {"prompt": "q\n\none\n\ntwo", "completion": "a"},
        ["id"],
    ),
    "gemini": (
        {
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "q"}]},
                {"role": "model", "parts": [{"text": "a"}]},
            ],
        },
        "messages",
        {"messages": [SYSTEM, *QA]},
        [],
    ),
    "bedrock": (
        {
            "system": [{"text": "Be kind."}],
            "messages": [
                {"role": "user", "content": [{"text": "q"}]},
                {"role": "assistant", "content": [{"text": "a"}]},
            ],
        },
        "messages",
        {"messages": [SYSTEM, *QA]},
        [],
    ),
    "openai preferences": (
        {
            "input": {"messages": turns("q"), "tools": [TOOL], "parallel_tool_calls": True},
            "preferred_output": [QA[1]],
            "non_preferred_output": [{**QA[1], "content": "no"}],
        },
        "pairs",
        {
            "prompt": turns("q"),
            "chosen": [QA[1]],
            "rejected": [{**QA[1], "content": "no"}],
            "tools": [WRAPPED],
        },
        [],
    ),
    "ultrafeedback": (
        {
            "prompt": "q",
            "prompt_id": "1",
            "chosen": QA,
            "rejected": turns("q", "no"),
            "messages": QA,
            "score_chosen": 8.0,
        },
        "pairs",
        {"prompt": QA[:1], "chosen": QA[1:], "rejected": turns("q", "no")[1:]},
        ["prompt_id", "messages", "score_chosen"],
    ),
    "ms-swift preferences": (
        {"messages": QA, "rejected_response": "no"},
        "pairs",
        {"prompt": QA[:1], "chosen": QA[1:], "rejected": [{"role": "assistant", "content": "no"}]},
        [],
    ),
    "kto-mix": (
        {"prompt": QA[:1], "completion": QA[1:], "label": True, "rating": 5},
        "thumbs",
        {"prompt": QA[:1], "completion": QA[1:], "label": True},
        ["rating"],
    ),
    "llama-factory kto": (
        {"messages": QA, "kto_tag": True},
        "thumbs",
        {"prompt": QA[:1], "completion": QA[1:], "label": True},
        [],
    ),
    "labels that are topics": ({"messages": QA, "label": "finance"}, "messages", {"messages": QA}, ["label"]),
    "capybara": (
        {"source": "s", "conversation": [{"input": "q", "output": "a"}, {"input": "more", "output": "b"}]},
        "messages",
        {"messages": turns("q", "a", "more", "b")},
        ["source"],
    ),
    "lima": ({"conversations": ["q", "a"], "source": "s"}, "messages", {"messages": QA}, ["source"]),
    "magpie": (
        {"conversation_id": "1", "instruction": "q", "response": "a", "conversations": said("q", "a")},
        "messages",
        {"messages": QA},
        ["conversation_id", "instruction", "response"],
    ),
    "numina": (
        {"source": "s", "problem": "q", "solution": "a", "messages": QA},
        "messages",
        {"messages": QA},
        ["source", "problem", "solution"],
    ),
    "openthoughts": (
        {
            "system": "Be kind.",
            "conversations": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}],
        },
        "messages",
        {"messages": [SYSTEM, *QA]},
        [],
    ),
    "reasoning beside the content": (
        {"messages": [QA[0], {**QA[1], "thinking": "hm"}]},
        "messages",
        {"messages": [QA[0], {**QA[1], "reasoning_content": "hm"}]},
        [],
    ),
    "reasoning in a column": (
        {"question": "q", "reasoning": "hm", "answer": "a"},
        "messages",
        {"messages": [QA[0], {**QA[1], "reasoning_content": "hm"}]},
        [],
    ),
    "math": (
        {"problem": "q", "level": "Level 1", "type": "Algebra", "solution": "a"},
        "completions",
        {"prompt": "q", "completion": "a"},
        ["level", "type"],
    ),
    "stepwise": (
        {"prompt": "q", "completions": ["one", "two"], "labels": [True, False]},
        "steps",
        {"prompt": "q", "steps": ["one", "two"], "labels": [True, False]},
        [],
    ),
    "dolly": (
        {"instruction": "q", "context": "c", "response": "a", "category": "qa"},
        "completions",
        {"prompt": "q\n\nc", "completion": "a"},
        ["category"],
    ),
    "wildchat": (
        {
            "conversation": [{**turn, "toxic": False, "country": "US", "state": None} for turn in QA],
            "model": "m",
            "turn": 1,
            "header": {"a": "b"},
        },
        "messages",
        {"messages": [{**turn, "toxic": False, "country": "US"} for turn in QA]},
        ["model", "turn", "header", "toxic of messages", "country of messages"],
    ),
    "parts of text": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, QA[1]]},
        "messages",
        {"messages": QA},
        [],
    ),
}


@pytest.mark.parametrize("name", READ)
def test_every_column_of_a_public_layout_is_used_or_named(name, tmp_path, opened):
    row, shape, made, unused = READ[name]
    data = opened(tmp_path, row)
    found = data.rows(shape)[0]
    assert {column: found[column] for column in made} == made
    assert data.sources[shape].unused == unused
    assert set(found) - set(made) <= set(row)
    for column in unused:
        assert column in data.describe(shape)


READ |= {
    "cohere's history": (
        {
            "message": "x",
            "chat_history": [{"role": "USER", "message": "h"}, {"role": "CHATBOT", "message": "r"}],
            "prompt": "q",
            "response": "a",
        },
        "messages",
        {"messages": turns("h", "r", "q", "a")},
        ["message"],
    ),
    "earlier turns as pairs": (
        {"instruction": "q", "output": "a", "past_turns": [["h", "r"]]},
        "messages",
        {"messages": turns("h", "r", "q", "a")},
        [],
    ),
    "a prompt of messages and a reply as text": (
        {"prompt": [SYSTEM, *turns("q")], "completion": "a"},
        "messages",
        {"messages": [SYSTEM, *QA]},
        [],
    ),
    "a list of one reply": (
        {"prompt": "q", "completion": ["a"]},
        "messages",
        {"messages": QA},
        [],
    ),
    "a turn that is not supervised": (
        {"messages": [QA[0], {**QA[1], "supervised": False}, *turns("again", "good")]},
        "messages",
        {"messages": [QA[0], {**QA[1], "train": False}, *turns("again", "good")]},
        [],
    ),
}
REFUSED = {
    "a weight as a cell has it": (
        {"prompt": "q", "completion": "a", "weight": "0.3"},
        "column weight weighs the row, got 0.3",
        "weight",
    ),
    "a row that a cell keeps out": (
        {"prompt": "q", "completion": "a", "train": "False"},
        "column train says that the row is not trained",
        "train",
    ),
    "a mask of the turns": (
        {"messages": QA, "loss_mask": [0, 1]},
        "column loss_mask says which turns are trained, got [0, 1]",
        "loss_mask",
    ),
    "a turn that is deleted": (
        {"messages": [QA[0], {**QA[1], "deleted": True}, QA[1]]},
        "a message in messages is marked with deleted, got True",
        "deleted",
    ),
    "the importance of a row": (
        {"prompt": "q", "completion": "a", "importance": 0.2},
        "column importance weighs the row, got 0.2",
        "importance",
    ),
    "a weight between": (
        {"messages": [QA[0], {**QA[1], "weight": 0.5}]},
        "weight of a message must be 0 or 1 (or true or false), got 0.5; ",
        "weight",
    ),
    "contradicting marks": (
        {"messages": [QA[0], {**QA[1], "weight": 1, "train": False}]},
        "the keys weight and train of a message contradict each other",
        "train",
    ),
    "parts of a message": (
        {"messages": [QA[0], {**QA[1], "train_detail": [{"begin_offset": 0}]}]},
        "trains parts of itself (train_detail)",
        "train_detail",
    ),
    "an open beginning": (
        {"messages": [QA[0], {**QA[1], "prefix": True}]},
        "marked as the beginning of the reply (prefix: true)",
        "prefix",
    ),
    "an image": (
        {"image": "a.jpg", "conversations": said("<image>\nq", "a")},
        "column image holds media",
        "image",
    ),
    "a weight of the row": (
        {"prompt": "q", "completion": "a", "weight": 0.3},
        "column weight weighs the row, got 0.3",
        "weight",
    ),
    "a row that is not trained": (
        {"prompt": "q", "completion": "a", "train": False},
        "column train says that the row is not trained",
        "train",
    ),
    "a turn that is masked": (
        {"messages": [QA[0], {**QA[1], "masked": True}, *turns("again", "good")]},
        "a message in messages is marked with masked, got True; write weight: 0",
        "masked",
    ),
    "a row that is skipped": (
        {"prompt": "q", "completion": "a", "skip": "true"},
        "column skip says that the row is left out, got true",
        "skip",
    ),
    "the weight of an example": (
        {"prompt": "q", "completion": "a", "example_weight": 0.3},
        "column example_weight weighs the row, got 0.3",
        "example_weight",
    ),
    "several replies (LLaMA-Factory's ranking)": (
        {"instruction": "q", "input": "", "output": ["good", "bad"]},
        "the reply is a list of 2 texts: several replies to one prompt",
        "",
    ),
    "a context that is an object": (
        {"question": "q", "context": {"contexts": ["p"]}, "answer": "a"},
        "the context below the prompt must be text, got {'contexts': ['p']}",
        "context",
    ),
    "a call in Gemini's parts": (
        {
            "contents": [
                {"role": "user", "parts": [{"text": "q"}]},
                {"role": "model", "parts": [{"functionCall": {}}]},
            ]
        },
        "the content of a message has a part of type 'functionCall'",
        "",
    ),
    "no tools": ({"messages": QA, "tools": ["search"]}, "tools must hold definitions of tools", "tools"),
    "two system texts": (
        {"system": "Be brief.", "messages": [SYSTEM, *QA]},
        "the system column and the first message are two system texts",
        "system",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused_with_a_fix_that_works(name, tmp_path, opened, refused):
    row, message, column = REFUSED[name]
    told = refused(lambda: opened(tmp_path, row))
    assert "file my.jsonl line 1: " in told
    assert message in told
    if f"data.drop=[{column}]" in told:
        assert opened(tmp_path, row, drop=[column]).sources


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [QA[0], {**QA[1], "masked": False, "ignore": 0}]},
        {"prompt": "q", "completion": "a", "skip": False, "exclude": 0, "sample_weight": 1.0},
    ],
)
def test_a_mark_that_is_not_set_stops_nothing(row, tmp_path, opened):
    assert opened(tmp_path, row).sources


def test_an_image_in_the_content_is_refused(tmp_path, opened, refused):
    part = {"type": "image_url", "image_url": {"url": "x"}}
    told = refused(lambda: opened(tmp_path, {"messages": [{"role": "user", "content": [part]}, QA[1]]}))
    assert "the content of a message has a part of type 'image_url'; ptx trains text" in told


def test_the_lists_agree_with_each_other():
    assert set(COMPANIONS) == set(USED)
    assert set(ROLE_NAMES.values()) <= set(ROLES)
    assert "weight" not in MESSAGE_KEYS
