"""Which layouts of columns are recognised, and as which shape."""

import pytest

from ptx.data.shapes import recognise, refine

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


FORMS = [
    ({"messages": TURNS}, "messages", {"messages": TURNS}),
    ({"prompt": "a", "completion": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    ({"instruction": "a", "input": "", "output": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    (
        {"instruction": "a", "input": "x", "output": "b"},
        "completions",
        {"prompt": "a\n\nx", "completion": "b"},
    ),
    (
        {"instruction": "a", "context": "x", "response": "b"},
        "completions",
        {"prompt": "a\n\nx", "completion": "b"},
    ),
    ({"question": "a", "answer": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    ({"query": "a", "response": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    (
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]},
        "messages",
        {"messages": TURNS},
    ),
    ({"conversations": TURNS}, "messages", {"messages": TURNS}),
    ({"prompt": TURNS[:1], "completion": TURNS[1:]}, "messages", {"messages": TURNS}),
    (
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        "pairs",
        {"prompt": "a", "chosen": "b", "rejected": "c"},
    ),
    (
        {"prompt": "a", "completion": "b", "label": True},
        "thumbs",
        {"prompt": "a", "completion": "b", "label": True},
    ),
    ({"prompt": "a", "answer": "b"}, "prompts", {"prompt": "a", "answer": "b"}),
    ({"prompt": "a"}, "prompts", {"prompt": "a", "answer": None}),
    ({"prompt": "a", "harmful": False}, "safety", {"prompt": "a", "harmful": False}),
    ({"text": "a"}, "text", {"text": "a"}),
]


@pytest.mark.parametrize(
    ("row", "shape", "canonical"),
    FORMS,
    ids=lambda value: "/".join(value) if isinstance(value, dict) else value,
)
def test_the_common_layouts_become_canonical_rows(tmp_path, row, shape, canonical, opened):
    assert opened(tmp_path, row).rows(shape) == [canonical]


def test_the_form_that_uses_the_most_columns_wins():
    assert [form.shape for form in recognise(["prompt", "chosen", "rejected"])] == ["pairs"]
    assert [form.shape for form in recognise(["prompt"])] == ["prompts"]
    assert recognise(["colour"]) == []


def test_columns_that_fit_two_shapes_give_both_unless_one_is_wanted():
    columns = ["prompt", "chosen", "rejected", "messages"]
    assert {form.shape for form in recognise(columns)} == {"pairs", "messages"}
    assert [form.shape for form in recognise(columns, "messages")] == ["messages"]


def test_a_wanted_shape_that_no_column_gives_is_looked_for_where_it_can_be_derived_from():
    assert [form.shape for form in recognise(["prompt", "chosen", "rejected"], "thumbs")] == ["pairs"]


def test_a_completion_of_messages_makes_the_row_a_conversation():
    (form,) = recognise(["prompt", "completion"])
    assert refine(form, [{"prompt": "a", "completion": "b"}]).shape == "completions"
    assert refine(form, [{"prompt": TURNS[:1], "completion": TURNS[1:]}]).shape == "messages"
