"""data.drop leaves out columns and keys of messages, and knows their other names."""

from ptx.data import open_data

TURNS = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello", "thinking": "hm", "loss": False},
]


def test_columns_and_keys_of_messages_are_left_out(tmp_path, opened):
    row = {"messages": TURNS, "image": "a.jpg"}
    made = opened(tmp_path, row, drop=["image", "thinking", "loss"]).rows("messages")
    assert made == [{"messages": [TURNS[0], {"role": "assistant", "content": "hello"}]}]


def test_a_key_is_left_out_under_the_name_that_messages_give_it(tmp_path, opened):
    made = opened(tmp_path, {"messages": TURNS}, drop=["reasoning_content", "weight"]).rows("messages")
    assert made[0]["messages"][1] == {"role": "assistant", "content": "hello"}


def test_a_name_that_is_not_there_is_answered_with_one_that_is(tmp_path, opened, refused):
    told = refused(lambda: opened(tmp_path, {"messages": TURNS}, drop=["thinkin"]))
    assert "data.drop=thinkin: my.jsonl has no column or key thinkin; did you mean 'thinking'?" in told


def test_the_files_of_a_family_need_not_all_have_it(tmp_path, write_rows):
    write_rows(tmp_path / "messages.jsonl", {"messages": TURNS})
    write_rows(tmp_path / "prompts.jsonl", {"prompt": "a", "answer": "b", "weight": 3})
    data = open_data("mine", tmp_path, drop=["weight"])
    assert data.rows("prompts") == [{"prompt": "a", "answer": "b"}]
