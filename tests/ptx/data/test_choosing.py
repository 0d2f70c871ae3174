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
