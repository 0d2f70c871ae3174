"""Which forms a table is read in where several fit."""

from ptx.data.choosing import choose
from ptx.data.records import Record, Table

TURNS = [{"role": "user", "content": " q "}, {"role": "assistant", "content": "a"}]


def table(*rows):
    return Table("my.jsonl", [Record("my.jsonl", place, row) for place, row in enumerate(rows, 1)])


def shapes(*rows):
    return [form.shape for form in choose(table(*rows), None)]


def test_conversations_win_over_columns_that_say_the_same(refused):
    row = {"problem": "q", "solution": "a", "messages": TURNS}
    assert shapes(row, row) == ["messages"]
    told = refused(lambda: shapes(row, {**row, "solution": "another"}))
    assert "data.shape=messages or data.shape=completions" in told


def test_pairs_and_labels_stand_beside_something_to_imitate():
    assert shapes({"chosen": "a", "rejected": "b", "messages": TURNS}) == ["messages", "pairs"]
    assert shapes({"prompt": "a", "answer": "4", "messages": TURNS}) == ["messages", "prompts"]


def test_harmful_prompts_with_replies_are_a_question(refused):
    told = refused(lambda: shapes({"prompt": "a", "completion": "b", "harmful": True}))
    assert "data.shape=completions or data.shape=safety" in told


def test_columns_in_other_letters_are_answered_with_what_to_type(refused):
    told = refused(lambda: shapes({"Question": "a", "Response": "b"}))
    assert "did you mean data.columns.prompt=Question data.columns.completion=Response" in told


def test_a_log_with_thumbs_gives_replies_and_thumbs(tmp_path, opened):
    log = [
        {"prompt": f"q{n}", "response": f"a{n}", "feedback": said, "user_id": n}
        for n, said in enumerate(("thumbs_up", None, "thumbs_down", "thumbs_up"))
    ]
    data = opened(tmp_path, *log)
    assert len(data.rows("completions")) == 4
    assert [row["label"] for row in data.rows("thumbs")] == [True, False, True]
    assert "1 row without feedback left out" in data.describe("thumbs")
    assert "thumbs_down taken for false (1)" in data.describe("thumbs")


def test_stars_and_one_sided_feedback_are_no_thumbs():
    rows = [{"prompt": "q", "response": f"{n}", "rating": n} for n in range(1, 6)]
    assert shapes(*rows) == ["completions"]
    assert shapes(*[{**row, "rating": 1} for row in rows]) == ["completions"]
    assert shapes(*[{**row, "rating": (-1) ** n} for n, row in enumerate(rows)]) == ["completions", "thumbs"]
