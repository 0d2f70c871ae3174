"""What of the rows is trained: the end token, the replies alone, in the order of the row."""

import json
import shutil
from pathlib import Path

import pytest

import ptx_tiny
from ptx.data import open_data
from ptx.models.folder import open_folder
from ptx.plan.learnt import ends_of, learnt

TINY = Path(ptx_tiny.__file__).parent / "model"
ROW = {
    "messages": [
        {"role": "user", "content": "Add 16 and 36, please."},
        {"role": "assistant", "content": "The answer is 52."},
    ]
}


@pytest.fixture
def told(tmp_path):
    """The names of the findings on a row, on a model whose template is changed."""

    def told(row=ROW, edit=str, method=None, name="messages"):
        shutil.copytree(TINY, tmp_path / "model", dirs_exist_ok=True)
        file = tmp_path / "model/chat_template.jinja"
        file.write_text(edit(file.read_text()))
        (tmp_path / "my.jsonl").write_text(json.dumps(row) + "\n")
        found = learnt(open_data("x", tmp_path / "my.jsonl"), name, tmp_path / "model", method)
        return [note.name for note in found]

    return told


def test_a_sound_template_and_row_have_no_finding(told):
    assert told() == []


def test_the_end_token_must_stand_in_the_loss(told):
    inside, outside = "+ '<|end|>' }}{% endgeneration %}", "}}{% endgeneration %}{{- '<|end|>' }}"
    assert told(edit=lambda source: source.replace(inside, outside)) == ["end-not-trained"]
    assert told(edit=lambda source: source.replace(inside, "}}{% endgeneration %}")) == ["no-end-token"]


def test_texts_of_others_in_the_loss_are_told_whatever_puts_them_there(told):
    class Whole:
        assistant_only = False

    assert told(method=Whole) == ["trained-on-prompt"]
    plain = "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    every = "{% generation %}" + plain + "{% endgeneration %}"
    assert told(edit=lambda source: source.replace(plain, every)) == ["trained-on-prompt"]


def test_a_text_that_a_reply_quotes_is_not_taken_for_the_users(told):
    quoting = {
        "messages": [ROW["messages"][0], {"role": "assistant", "content": "Add 16 and 36, please. 52."}]
    }
    assert told(row=quoting) == []


def test_special_tokens_in_texts_are_told_apart_by_what_they_do(told):
    def reply(text):
        return {"messages": [ROW["messages"][0], {"role": "assistant", "content": text}]}

    assert told(row=reply("52.<|end|>And more.")) == ["end-token-inside"]
    assert told(row=reply("Say <|user|> to me.")) == ["own-special-tokens"]
    assert told(row=reply("Is 3 < 4 | 5 > 2? Yes <b>so</b> [x].")) == []


def test_marks_of_another_template_in_plain_text_are_told_and_own_ones_are_not(told):
    assert told(row={"text": "<|im_start|>user\nAdd.<|im_end|>"}, name="text") == ["template-tokens"]
    assert told(row={"text": "<|user|>Add.<|end|>"}, name="text") == []


def test_the_ends_are_those_of_the_tokenizer_and_of_the_server():
    assert ends_of(open_folder(TINY)) == ["<|end|>"]


@pytest.mark.parametrize("role", ["user", "tool"])
def test_turns_of_others_inside_the_replies_of_a_pair_are_told(tmp_path, role):
    side = [{"role": "assistant", "content": "one"}, {"role": role, "content": "and now?"}]
    replies = {name: [*side, {"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"prompt": ROW["messages"][:1], **replies}) + "\n")
    data = open_data("./pairs.jsonl", file)
    assert [found.name for found in learnt(data, "pairs", TINY)] == ["trained-on-prompt"]
    told = str(learnt(data, "thumbs", TINY)[0])
    assert f"the {role}'s message stands inside a reply" in told
    assert "assistant_only" not in told  # which no method of pairs and thumbs has
