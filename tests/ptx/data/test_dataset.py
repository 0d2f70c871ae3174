"""An opened data choice: its rows, its digest, and what it answers when it lacks a shape."""

from ptx.data import open_data

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_columns_that_no_shape_uses_are_kept_and_named(tmp_path, opened):
    data = opened(tmp_path, {"question": "a", "answer": "b", "skill": "sums"})
    assert data.rows("completions") == [{"prompt": "a", "completion": "b", "skill": "sums"}]
    assert (
        data.describe("prompts") == "1 row: question/answer → completions → prompts (not trained on: skill)"
    )


def test_a_mismatch_says_what_the_data_is_what_it_fits_and_what_is_missing(tmp_path, opened, refused):
    fits = {"messages": ["method=sft"], "prompts": ["method=grpo"]}
    message = refused(lambda: opened(tmp_path, {"messages": TURNS}).require(["pairs"], "method=dpo", fits))
    assert "method=dpo needs pairs (columns prompt, chosen, rejected)" in message
    assert "./my.jsonl holds messages (column messages), which fits method=sft, method=grpo" in message
    assert "missing: chosen, rejected; " in message
    assert opened(tmp_path, {"messages": TURNS}).require(["pairs", "messages"], "x") == "messages"


def test_the_digest_is_that_of_the_rows_used_and_not_of_the_file(tmp_path, opened):
    rows = [{"prompt": f"{i}", "completion": "b"} for i in range(4)]
    first = opened(tmp_path, *rows, limit=2)
    (tmp_path / "other").mkdir()
    assert opened(tmp_path / "other", *rows[:2]).digest("completions") == first.digest("completions")
    assert opened(tmp_path, *rows).digest("completions") != first.digest("completions")
    assert first.digest("prompts") != first.digest("completions")


def test_one_file_of_a_family_is_used_alone(tmp_path, write_rows, refused):
    write_rows(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    write_rows(tmp_path / "messages.jsonl", {"messages": TURNS})
    family = open_data("mine", tmp_path)
    assert family.only("pairs", "step dpo").shapes == ("pairs", "thumbs", "prompts", "calibration")
    message = refused(lambda: family.only("text", "step sft"))
    assert message == "step sft learns from text, which mine does not hold; it holds messages, pairs"


def test_texts_beside_the_rows_are_found_by_name(tmp_path, write_rows):
    write_rows(tmp_path / "text.jsonl", {"text": "a"})
    (tmp_path / "heldout.txt").write_text("b\n")
    data = open_data("mine", tmp_path)
    assert data.heldout == tmp_path / "heldout.txt"
    assert data.general is None


def test_what_is_computed_of_the_rows_is_computed_once(tmp_path, opened):
    data = opened(tmp_path, {"text": "a"})
    calls = []
    for _ in range(2):
        assert data.once("length", "text", lambda: calls.append(1) or len(data.rows("text"))) == 1
    assert calls == [1]


def test_what_stands_beside_the_text_and_what_is_not_trained_is_said(tmp_path, opened):
    row = {"question": "a", "answer": "b", "history": [["c", "d"]], "tools": "[]", "skill": "sums"}
    data = opened(tmp_path, row)
    assert data.describe("messages") == (
        "1 row: question/answer → messages (column history as earlier turns; replies in the history are"
        " trained too; not trained on: skill)"
    )
    assert "tools" not in data.rows("messages")[0]
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]
    more = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert opened(tmp_path, {"messages": [*turns, *more]}).describe("messages") == (
        "1 row: messages (1 replies read and not trained)"
    )
