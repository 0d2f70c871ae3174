"""Rows that the chat template refuses or does not write in full are told with file and line."""

import json

import pytest

from ptx.data import open_data
from ptx.plan.rendering import rendering

HI, HELLO = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}
EACH = "{% for m in messages %}"
PLAIN = EACH + "{{ m.role }}: {{ m.content }}\n{% endfor %}"
STRICT = EACH + "{{ raise_exception('no system') if m.role == 'system' }}{{ m.content }}{% endfor %}"
LAST_THOUGHT = (
    EACH
    + "{{ m.reasoning_content if loop.last }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
)
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}


@pytest.fixture
def told(tmp_path):
    """``told(template, row, ...)``: the problems and notes as lines."""

    def ask(template, *rows, shape="messages", marked=True):
        (tmp_path / "chat_template.jinja").write_text(template)
        (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        problems, notes = rendering(open_data("x", tmp_path / "my.jsonl"), shape, tmp_path, marked=marked)
        return [str(problem) for problem in problems], [note.what for note in notes]

    return ask


def test_a_row_that_the_template_refuses_is_named_with_its_roles(told):
    row = {"messages": [HI, HELLO]}
    system = {"messages": [{"role": "system", "content": "s"}, HI, HELLO]}
    (problem,), _ = told(STRICT, row, system, row, system)
    assert problem.startswith("file my.jsonl line 2: the chat template of ")
    assert (
        "refuses the row (no system), got system, user, assistant (and 1 more of 4 rows: line 4)" in problem
    )


@pytest.mark.parametrize(
    ("row", "key", "value"),
    [
        ({"messages": [HI, {**HELLO, "thinking": "hm"}]}, "reasoning_content", "'hm'"),
        ({"messages": [HI, {**HELLO, "tool_calls": [CALL]}]}, "tool_calls", "\"add({'a': 1})\""),
        ({"messages": [HI, HELLO], "tools": [CALL["function"]]}, "tools", "'add'"),
    ],
)
def test_what_the_template_does_not_write_is_named_with_its_value_and_what_to_do(row, key, value, told):
    (problem,), _ = told(PLAIN, {"messages": [HI, HELLO]}, row)
    assert f"does not write {key}, so it would be lost, got {value}; " in problem
    assert problem.startswith("file my.jsonl line 2: ")
    assert "another chat template that writes it" in problem


def test_a_system_text_that_the_template_skips_is_lost(told):
    skips = EACH + "{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}"
    (problem,), _ = told(skips, {"system": "Be kind.", "prompt": "q", "completion": "a"})
    assert "does not write content, so it would be lost, got 'Be kind.'" in problem


def test_thoughts_in_the_content_that_the_template_cuts_off_are_lost(told):
    """DeepSeek-R1's distilled models do that, so training on their own answers would train no thought."""
    cuts = EACH + "{{ m.content.split('</think>')[-1] }}{% endfor %}"
    (problem,), _ = told(cuts, {"messages": [HI, {**HELLO, "content": "<think>hm</think>hello"}]})
    assert "does not write the thoughts in content, so it would be lost, got '<think>hm</think>'" in problem


def test_reasoning_of_earlier_turns_that_the_template_leaves_out_by_design_is_a_note(told):
    thought = {**HELLO, "reasoning_content": "hm"}
    problems, notes = told(
        LAST_THOUGHT, {"messages": [HI, thought, HI, {**thought, "reasoning_content": "so"}]}
    )
    assert problems == []
    (note,) = notes
    assert note.startswith(
        "file my.jsonl line 1: the chat template writes the reasoning of the last reply alone"
    )


def test_names_and_marks_that_change_nothing_are_notes(told):
    turns = [{**HI, "name": "Ann", "weight": 1}, HELLO]
    problems, notes = told(PLAIN, {"messages": turns}, {"messages": turns})
    assert problems == []
    marked, named = sorted(notes)
    assert "line 1: a message that is not the assistant's is marked as trained" in marked
    assert "does not write name of messages (and 1 more of 2 rows: line 2)" in named


def test_a_reply_that_is_not_trained_needs_a_mark_of_its_own(told):
    row = {"messages": [HI, {**HELLO, "weight": 0}, HI, HELLO]}
    one = "{% generation %}" + PLAIN + "{% endgeneration %}"
    (problem,), _ = told(one, row)
    assert "does not mark every reply once, got 1 marks" in problem
    each = EACH + "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}"
    assert told(each + "{{ m.content }}{% endif %}{% endfor %}", row) == ([], [])


def test_pairs_are_rendered_on_both_sides_and_prompts_alone(told):
    pair = {"prompt": "q", "chosen": "a", "rejected": "b"}
    refuses = "{{ raise_exception('b') if messages[-1].content == 'b' }}" + PLAIN
    assert "refuses the row (b), got user, assistant" in told(refuses, pair, shape="pairs")[0][0]
    assert told(refuses, {"prompt": "b", "answer": "4"}, shape="prompts")[0]


def test_sound_rows_and_a_model_without_a_template_give_nothing(told, tmp_path):
    assert told(PLAIN, {"messages": [HI, HELLO]}) == ([], [])
    (tmp_path / "chat_template.jinja").unlink()
    data = open_data("x", tmp_path / "my.jsonl")
    assert rendering(data, "messages", tmp_path) == ([], [])


def test_a_template_that_is_no_jinja_is_a_problem_of_the_model(told):
    (problem,), _ = told("{% for %}", {"messages": [HI, HELLO]})
    assert "the chat template cannot be read" in problem


def test_the_template_is_the_one_that_is_trained_with(told):
    """Qwen's own template drops the thoughts of earlier replies; TRL's version for training keeps them."""
    from importlib.util import find_spec
    from pathlib import Path

    folder = Path(find_spec("trl").submodule_search_locations[0]) / "chat_templates"
    thought = {**HELLO, "content": "<think>\nhm\n</think>\n\nhello"}
    row = {"messages": [HI, thought, HI, {**thought, "content": "<think>\nso\n</think>\n\nbye"}]}
    qwen = (folder / "qwen3.jinja").read_text()
    assert told(qwen, row) == ([], [])
    problems, notes = told(qwen, row, marked=False)
    assert problems == []
    assert len(notes) == 1


def test_a_row_whose_replies_have_no_place_of_their_own_is_named(told):
    shortens = (
        EACH + "{{ m.role }}: {{ m.content if loop.last else m.content|replace('<think>hm</think>', '') }}"
    )
    thought = {**HELLO, "content": "<think>hm</think>hello"}
    problems, _ = told(
        shortens + "\n{% endfor %}", {"messages": [HI, HELLO]}, {"messages": [HI, thought, HI, HELLO]}
    )
    assert any("does not write this row's behind their prompts" in problem for problem in problems)
