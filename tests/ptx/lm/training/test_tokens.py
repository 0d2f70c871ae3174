"""Ids and labels of supervised rows are TRL's, except for messages that a file does not train."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from ptx.errors import StepError
from ptx.lm.load import load_tokenizer
from ptx.lm.training.inspection import MASKED
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.tokens import common_length, token_rows, trained_spans
from tests.plugins.conftest import TEMPLATE, save_tiny_llama
from tests.ptx.lm.training.foreign_calls import CALLED, PARALLEL

HI, HELLO = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello é"}
MORE, BYE = {"role": "user", "content": "more?"}, {"role": "assistant", "content": "bye"}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
ROWS = {
    "messages": [{"messages": [HI, HELLO, MORE, BYE]}, {"messages": [HI, BYE]}],
    "completions": [{"prompt": "why?", "completion": "so"}, {"prompt": " a", "completion": "b<|end|>"}],
    "text": [{"text": "once upon"}, {"text": "a time<|end|>"}],
}


def of_trl(shape, rows, tokenizer, *, answers_only):
    """What TRL's SFTTrainer makes of the rows."""
    from trl import SFTTrainer
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    from ptx.lm.training.rows import as_dataset

    only = answers_only and shape == "messages"
    own = tokenizer.chat_template
    trainer = SimpleNamespace(
        chat_template=get_training_chat_template(tokenizer)
        if only and not has_generation_markers(own)
        else None,
        _tokenizer=tokenizer,
        completion_only_loss=answers_only and shape == "completions",
    )
    args = SimpleNamespace(
        dataset_num_proc=None,
        dataset_text_field="text",
        assistant_only_loss=only,
        max_length=None,
        shuffle_dataset=False,
    )
    data = as_dataset(trl_rows(shape, rows, tokenizer))
    made = SFTTrainer._prepare_dataset(trainer, data, tokenizer, args, False, None, "train")
    return [(row["input_ids"], row["labels"]) for row in made]


def of_ptx(shape, rows, tokenizer, *, answers_only):
    made = token_rows(shape, rows, tokenizer, answers_only=answers_only)
    return [(row["input_ids"].tolist(), row["labels"].tolist()) for row in made]


@pytest.mark.parametrize("answers_only", [True, False])
@pytest.mark.parametrize("shape", ROWS)
def test_ids_and_labels_are_those_of_trl(shape, answers_only, chat_model, plain_model):
    for model in (chat_model, plain_model) if shape != "messages" else (chat_model,):
        tokenizer = load_tokenizer(model)
        expected = of_trl(shape, ROWS[shape], tokenizer, answers_only=answers_only)
        assert of_ptx(shape, ROWS[shape], tokenizer, answers_only=answers_only) == expected


@pytest.mark.parametrize("name", ["qwen3", "qwen2_5", "llama3", "phi3", "deepseekv3"])
def test_a_template_that_trl_marks_gives_trls_labels(name, tmp_path):
    from trl import chat_template_utils

    source = getattr(chat_template_utils, f"{name}_chat_template")
    tokenizer = load_tokenizer(save_tiny_llama(tmp_path / name, source))
    rows = [{"messages": [HI, {**HELLO, "content": "<think>\nhm\n</think>\n\nhello"}, MORE, BYE]}]
    expected = of_trl("messages", rows, tokenizer, answers_only=True)
    assert of_ptx("messages", rows, tokenizer, answers_only=True) == expected


def test_the_tokens_of_a_message_that_is_not_trained_are_masked_and_still_read(chat_model):
    tokenizer = load_tokenizer(chat_model)
    whole = ROWS["messages"][:1]
    marked = [{"messages": [HI, {**HELLO, "train": False}, MORE, BYE]}]
    (ids, labels), (same, fewer) = (
        of_ptx("messages", rows, tokenizer, answers_only=True)[0] for rows in (whole, marked)
    )
    assert ids == same
    assert tokenizer.decode([one for one in labels if one != MASKED]) == "hello é<|end|>bye<|end|>"
    assert tokenizer.decode([one for one in fewer if one != MASKED]) == "bye<|end|>"


def test_a_template_that_marks_replies_together_cannot_leave_one_out():
    turns = [HI, {**HELLO, "train": False}, BYE]
    assert trained_spans([HI, HELLO, BYE], [(3, 9)]) == [(3, 9)]
    with pytest.raises(StepError, match="marks 1 places for 2 replies"):
        trained_spans(turns, [(3, 9)])


def test_tools_and_template_options_reach_the_text(tmp_path):
    source = (
        "{{ tools | tojson if tools }}{{ 'T' if think }}{% for m in messages %}{% generation %}"
        "{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}{% endgeneration %}{% endfor %}"
    )
    tokenizer = load_tokenizer(save_tiny_llama(tmp_path / "tools", source))
    row = {
        "messages": [HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}],
        "tools": [{"type": "function", "function": {"name": "add"}}],
        "chat_template_kwargs": {"think": True},
    }
    (ids, _) = of_ptx("messages", [row], tokenizer, answers_only=True)[0]
    text = tokenizer.decode(ids)
    assert text.startswith('[{"type": "function", "function": {"name": "add"}}]T')
    assert '"arguments": {"a": 1}' in text
    assert "None" not in text


def test_the_common_head_of_two_rows_of_ids():
    assert common_length([1, 2, 3], [1, 2, 4]) == 2
    assert common_length([1], [1, 2]) == 1
    assert common_length([], [1]) == 0


def test_a_template_without_marks_trains_the_replies_that_a_marked_one_trains(tmp_path):
    marked = load_tokenizer(save_tiny_llama(tmp_path / "marked", TEMPLATE))
    plain = load_tokenizer(save_tiny_llama(tmp_path / "plain", TEMPLATE))
    plain.chat_template = TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    rows = [*ROWS["messages"], {"messages": [HI, {**HELLO, "train": False}, MORE, BYE]}]
    expected = of_ptx("messages", rows, marked, answers_only=True)
    assert of_ptx("messages", rows, plain, answers_only=True) == expected
    assert all(label != MASKED for label in expected[0][1][-2:])


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "adds",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}
RAIN = {"type": "function", "function": {"name": "rain", "description": "rain in a place", "parameters": {}}}


def calling(name, arguments):
    return [{"type": "function", "function": {"name": name, "arguments": arguments}}]


def told(name, arguments, result, answer):
    return {
        "messages": [
            {"role": "user", "content": "please"},
            {"role": "assistant", "content": "", "tool_calls": calling(name, arguments)},
            {"role": "tool", "name": name, "content": result},
            {"role": "assistant", "content": answer},
        ],
        "tools": [ADD, RAIN],
    }


def test_calls_are_trained_exactly_as_they_are_and_results_of_tools_are_not(tmp_path):
    """Rows of several foreign shapes, rendered with a real template and parsed back (TRL's Qwen 3)."""
    import trl

    from ptx.data import check, open_data

    rows = [
        told("add", {"a": 1, "b": 2}, "3", "it is 3"),
        told("rain", '{"place": "Bern", "days": [1, 2], "deep": {"x": null}}', "wet", "it rains"),
        {
            "conversations": [
                {"from": "human", "value": "please"},
                {"from": "function_call", "value": '{"name": "add", "arguments": {"a": "four", "b": 5}}'},
                {"from": "observation", "value": "9"},
                {"from": "gpt", "value": "it is 9"},
            ],
            "tools": json.dumps([ADD, RAIN]),
        },
        {
            "system": f"SYSTEM: You have functions -\n{json.dumps(ADD['function'])}\n",
            "chat": "USER: please\n\n\nASSISTANT: <functioncall> "
            """{"name": "add", "arguments": '{"a": 7, "b": 8}'} <|endoftext|>\n\n\n"""
            'FUNCTION RESPONSE: {"sum": 15}\n\n\nASSISTANT: it is 15 <|endoftext|>\n',
        },
        {
            "query": "please",
            "tools": json.dumps([ADD["function"]]),
            "answers": json.dumps([{"name": "add", "arguments": {"a": 9, "b": 1}}]),
        },
    ]
    wanted = [("add", {"a": 1, "b": 2}), ("rain", {"place": "Bern", "days": [1, 2], "deep": {"x": None}})]
    wanted += [("add", {"a": "four", "b": 5}), ("add", {"a": 7, "b": 8}), ("add", {"a": 9, "b": 1})]
    source = (Path(trl.__file__).parent / "chat_templates" / "qwen3_instruct_2507.jinja").read_text()
    tokenizer = load_tokenizer(save_tiny_llama(tmp_path / "model", source))
    trained = []
    for number, row in enumerate(rows):
        file = tmp_path / f"rows-{number}.jsonl"
        file.write_text(json.dumps(row))
        data = open_data("rows", file)
        assert check(data, "messages")[0] == []
        trained += data.rows("messages")
    for (name, arguments), made in zip(
        wanted, of_ptx("messages", trained, tokenizer, answers_only=True), strict=True
    ):
        ids, labels = made
        answers = tokenizer.decode([label for label in labels if label != -100])
        call, _, rest = answers.partition("</tool_call>")
        parsed = json.loads(call.partition("<tool_call>")[2])
        assert parsed == {"name": name, "arguments": arguments}
        assert "tool_response" not in answers  # what a tool says is read and not learnt
        if arguments != {"a": 9, "b": 1}:  # xLAM's rows end with the call
            assert "it " in rest
            assert "tool_response" in tokenizer.decode(ids)


@pytest.mark.parametrize("form", PARALLEL)
def test_parallel_calls_of_every_form_with_nested_values_and_other_scripts_are_read_back(form, tmp_path):
    import trl

    from ptx.data import check, open_data

    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(PARALLEL[form], ensure_ascii=False))
    data = open_data("rows", file)
    problems, notes = check(data, "messages")
    assert problems == []
    assert [note.name for note in notes] == (["system-behind"] if "two system" in form else [])
    source = (Path(trl.__file__).parent / "chat_templates" / "qwen3_instruct_2507.jinja").read_text()
    tokenizer = load_tokenizer(save_tiny_llama(tmp_path / "model", source))
    ((ids, labels),) = of_ptx("messages", data.rows("messages"), tokenizer, answers_only=True)
    answers = tokenizer.decode([label for label in labels if label != MASKED])
    found = [json.loads(text) for text in re.findall(r"<tool_call>(.*?)</tool_call>", answers, re.DOTALL)]
    assert [(call["name"], call["arguments"]) for call in found] == CALLED
    assert "tool_response" not in answers
    assert '"description": "finds"' in tokenizer.decode(ids)


def test_calls_in_the_text_of_a_reply_are_trained_as_they_stand(tmp_path):
    """ToolACE: the functions stand in the system text, and the calls in Python's notation."""
    from ptx.data import check, open_data

    said = '[add(a=1, b=2), rain(place="Bern")]'
    turns = [("user", "please"), ("assistant", said), ("tool", "[3]"), ("assistant", "it is 3")]
    row = {
        "system": f"You have functions: {json.dumps([ADD, RAIN])}",
        "conversations": [{"from": role, "value": text} for role, text in turns],
    }
    file = tmp_path / "toolace.jsonl"
    file.write_text(json.dumps(row))
    data = open_data("toolace", file)
    assert check(data, "messages")[0] == []
    import trl

    source = (Path(trl.__file__).parent / "chat_templates" / "qwen3_instruct_2507.jinja").read_text()
    tokenizer = load_tokenizer(save_tiny_llama(tmp_path / "model", source))
    ((_, labels),) = of_ptx("messages", data.rows("messages"), tokenizer, answers_only=True)
    answers = tokenizer.decode([label for label in labels if label != -100])
    assert said in answers
    assert "[3]" not in answers
