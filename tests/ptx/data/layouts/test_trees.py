"""Trees of messages with ranks: the best path is a conversation, ranked replies are pairs."""

import pytest


def message(name, parent, role, text, rank=None, **more):
    """A row with OpenAssistant's columns."""
    ids = {"message_id": name, "parent_id": parent, "user_id": "u", "created_date": "2023"}
    said = {"text": text, "role": role, "lang": "en", "review_count": 3, "review_result": True}
    state = {"deleted": False, "rank": rank, "synthetic": False, "model_name": None, "detoxify": {"t": 0.1}}
    tree = {"message_tree_id": "1", "tree_state": "ready_for_export", "emojis": {"name": ["+1"]}}
    return {**ids, **said, **state, **tree, **more}


ROWS = [
    message("1", None, "prompter", "q"),
    message("2", "1", "assistant", "poor", 1),
    message("3", "1", "assistant", "good", 0),
    message("4", "1", "assistant", "worst", 2),
    message("5", "3", "prompter", "more?"),
    message("6", "3", "prompter", "or this?"),
    message("7", "5", "assistant", "yes", 0),
    message("8", "5", "assistant", "no", 1),
    message("9", "5", "assistant", "spam", deleted=True),
]


def said(turns):
    return [(turn["role"][0], turn["content"]) for turn in turns]


def nested(name):
    row = next(row for row in ROWS if row["message_id"] == name)
    kept = {key: row[key] for key in ("message_id", "text", "role", "rank", "deleted", "lang")}
    return {**kept, "replies": [nested(one["message_id"]) for one in ROWS if one["parent_id"] == name]}


@pytest.mark.parametrize(
    "rows",
    [ROWS, ROWS[::-1], [{"message_tree_id": "1", "tree_state": "ready", "prompt": nested("1")}] * 1],
    ids=["a message per row", "children before their parents", "a tree per row"],
)
def test_openassistant_gives_conversations_and_pairs(rows, tmp_path, opened):
    data = opened(tmp_path, *rows)
    (talk,) = data.rows("messages")
    assert said(talk["messages"]) == [("u", "q"), ("a", "good"), ("u", "more?"), ("a", "yes")]
    pairs = [(said(row["prompt"]), said(row["chosen"]), said(row["rejected"])) for row in data.rows("pairs")]
    assert sorted(pairs, key=lambda pair: len(pair[0])) == [
        ([("u", "q")], [("a", "good")], [("a", "worst")]),
        ([("u", "q"), ("a", "good"), ("u", "more?")], [("a", "yes")], [("a", "no")]),
    ]
    assert "the best path of each of 1 tree, by rank, 1 message left out as deleted or refused" in (
        data.describe("messages")
    )
    assert "lang" in data.describe("pairs")


def test_messages_that_reviewers_refused_are_left_out_with_what_is_below(tmp_path, opened):
    rows = [{**row, "review_result": False} if row["message_id"] == "3" else row for row in ROWS]
    data = opened(tmp_path, *rows)
    assert said(data.rows("messages")[0]["messages"]) == [("u", "q"), ("a", "poor")]
    assert len(data.rows("pairs")) == 1
    assert "6 messages left out" in data.describe("pairs")


def test_a_conversation_ends_before_replies_that_nobody_ranked(tmp_path, opened):
    rows = [*ROWS[:5], message("7", "5", "assistant", "yes"), message("8", "5", "assistant", "no")]
    assert said(opened(tmp_path, *rows).rows("messages")[0]["messages"]) == [("u", "q"), ("a", "good")]


def test_a_chain_of_messages_needs_no_ranks_and_keeps_their_marks(tmp_path, opened):
    rows = [
        {"id": n, "parent_id": n - 1 if n else None, "role": ("user", "assistant")[n % 2], "content": f"t{n}"}
        for n in range(3000)
    ]
    rows[1]["weight"] = 0
    data = opened(tmp_path, *rows)
    (row,) = data.rows("messages")
    assert len(row["messages"]) == 3000
    assert row["messages"][1]["train"] is False
    assert "3000 messages put together by parent_id" in data.describe("messages")
    assert data.shapes == ("messages", "prompts", "calibration")


@pytest.mark.parametrize(
    ("rows", "message_"),
    [
        ([{**row, "rank": None} for row in ROWS], "nothing ranks the replies"),
        (ROWS[1:4], "line 1: there is no message '1' (in 3 rows)"),
        ([*ROWS[:3], ROWS[2]], "message_id '3' stands twice"),
        (
            [*ROWS[:3], message("x", "y", "prompter", "a"), message("y", "x", "assistant", "b")],
            "are each other's parents",
        ),
    ],
)
def test_a_tree_that_says_nothing_clear_is_refused(rows, message_, tmp_path, opened, refused):
    assert message_ in refused(lambda: opened(tmp_path, *rows))


def test_a_limit_counts_conversations(tmp_path, opened):
    second = [
        {**row, "message_id": f"b{row['message_id']}", "parent_id": row["parent_id"] and "b1"}
        for row in ROWS[:3]
    ]
    data = opened(tmp_path, *ROWS, *second, limit=1)
    assert len(data.rows("messages")) == len(data.rows("pairs")) == 1
