"""ptx's rows as TRL's columns."""

from types import SimpleNamespace

from ptx.lm.training.rows import as_dataset, needs_template, trl_rows
from tests.plugins.conftest import TEMPLATE

CHAT = SimpleNamespace(chat_template=TEMPLATE, special_tokens_map={"bos_token": "<|bos|>"})
PLAIN = SimpleNamespace(chat_template=None, special_tokens_map={})
TURN = [{"role": "user", "content": "why?"}]


def test_texts_become_turns_where_there_is_a_template():
    rows = [{"prompt": "why?", "chosen": "so", "rejected": "no", "skill": "reason"}]
    assert trl_rows("pairs", rows, CHAT) == [
        {
            "prompt": TURN,
            "chosen": [{"role": "assistant", "content": "so"}],
            "rejected": [{"role": "assistant", "content": "no"}],
        }
    ]


def test_texts_stay_texts_where_there_is_none():
    assert trl_rows("completions", [{"prompt": "why?", "completion": "so"}], PLAIN) == [
        {"prompt": "why?", "completion": "so"}
    ]


def test_turns_stay_turns():
    rows = [{"prompt": TURN, "completion": [{"role": "assistant", "content": "so"}], "label": True}]
    assert trl_rows("thumbs", rows, CHAT) == rows


def test_columns_that_trl_gives_a_meaning_are_left_out():
    rows = [{"text": "a", "images": ["x"], "input_ids": [1], "tools": [{"name": "y"}]}]
    assert trl_rows("text", rows, CHAT) == [{"text": "a"}]


def test_answers_become_text_and_may_be_absent():
    rows = [{"prompt": "one plus one", "answer": 2}, {"prompt": "who?", "answer": None}, {"prompt": "why?"}]
    assert [row["answer"] for row in trl_rows("prompts", rows, PLAIN)] == ["2", None, None]


def test_only_conversations_need_a_template():
    assert needs_template("messages", [])
    assert needs_template("prompts", [{"prompt": "a"}, {"prompt": TURN}])
    assert not needs_template("prompts", [{"prompt": "a"}])
    assert not needs_template("text", [{"text": "a"}])


def test_a_dialogue_written_as_text_becomes_turns_only_where_there_is_a_template():
    row = {
        "prompt": "\n\nHuman: hi\n\nAssistant: yes?\n\nHuman: why?\n\nAssistant:",
        "chosen": " so",
        "rejected": " no\n\nHuman: oh\n\nAssistant: well",
    }
    (made,) = trl_rows("pairs", [row], CHAT)
    hi, yes = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}
    assert made["prompt"] == [hi, yes, *TURN]
    assert made["chosen"] == [{"role": "assistant", "content": "so"}]
    assert [turn["content"] for turn in made["rejected"]] == ["no", "oh", "well"]
    assert trl_rows("pairs", [row], PLAIN) == [row]


def test_tools_and_template_options_go_with_every_row():
    tool = {"type": "function", "function": {"name": "add"}}
    source = "{{ tools | tojson if tools }}{% for m in messages %}{{ m.content }}{% endfor %}"
    rows = [
        {"prompt": "a", "completion": "b", "label": True, "tools": [tool]},
        {"prompt": "a", "completion": "b", "label": False, "chat_template_kwargs": {"think": False}},
    ]
    made = trl_rows("thumbs", rows, SimpleNamespace(chat_template=source, special_tokens_map={}))
    assert made[0]["tools"] == '[{"type": "function", "function": {"name": "add"}}]'
    assert [row["chat_template_kwargs"] for row in made] == [{}, {"think": False}]


def test_nested_values_reach_the_trainer_as_they_are_in_each_row():
    """Arrow's own types would add the other row's argument as null, or fail on a number beside a text."""
    rows = [
        {"messages": [{"role": "assistant", "content": None, "arguments": arguments}], "label": True}
        for arguments in ({"v": 0}, {"v": "t1", "unit": None}, {"w": [1, "a"]})
    ]
    assert list(as_dataset(rows)) == rows
    assert as_dataset([{"text": "a"}])[0] == {"text": "a"}
