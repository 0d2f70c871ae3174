"""Tables of one message per row become conversations, or are refused; they are never plain text."""

import pytest

ROWS = [
    {
        "conversation_id": place // 2,
        "turn": place % 2,
        "role": ("user", "assistant")[place % 2],
        "text": f"t{place}",
    }
    for place in range(6)
]


def test_the_messages_of_a_conversation_are_put_together_in_the_order_of_their_turns(tmp_path, opened):
    mixed = [ROWS[3], ROWS[0], ROWS[5], ROWS[1], ROWS[4], ROWS[2]]
    data = opened(tmp_path, *mixed)
    assert "text" not in data.shapes
    assert [turn["content"] for row in data.rows("messages") for turn in row["messages"]] == [
        "t2", "t3", "t0", "t1", "t4", "t5",
    ]  # fmt: skip
    assert "6 messages put together by conversation_id, in the order of turn" in data.describe("messages")


def test_what_messages_share_stays_a_column_and_the_rest_goes_with_the_message(tmp_path, opened):
    rows = [{**row, "lang": "en", "weight": place % 2} for place, row in enumerate(ROWS)]
    first = opened(tmp_path, *rows).rows("messages")[0]
    assert first["lang"] == "en"
    assert first["messages"][1] == {"role": "assistant", "content": "t1"}


def test_a_limit_counts_conversations_and_cuts_none(tmp_path, opened):
    for limit in (1, 2):
        rows = opened(tmp_path, *ROWS, limit=limit).rows("messages")
        assert [len(row["messages"]) for row in rows] == [2] * limit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parent_id": None}, "parent_id makes trees of them, and no column names a message"),
        ({"conversation_id": None}, "column conversation_id is empty"),
        ({"turn": "second"}, "turn must be a number, got 'second'"),
    ],
)
def test_a_table_that_cannot_be_put_together_is_refused(change, message, tmp_path, opened, refused):
    assert message in refused(lambda: opened(tmp_path, *ROWS[:3], {**ROWS[3], **change}))


def test_messages_without_a_conversation_are_refused(tmp_path, opened, refused):
    rows = [{name: row[name] for name in ("role", "text")} for row in ROWS]
    told = refused(lambda: opened(tmp_path, *rows))
    assert "my.jsonl holds one message per row (columns role, text)" in told
    assert "add a column conversation_id" in told


def test_a_role_column_of_something_else_is_a_column_like_others(tmp_path, opened):
    assert opened(tmp_path, {"role": "teacher", "text": "a"}, {"role": "nurse", "text": "b"}).rows("text")
    assert opened(tmp_path, {"role": "user", "text": "a"}, {"role": "user", "text": "b"}).rows("text")
