"""Chat templates rendered without an ML library: the text and the marks of transformers, and the fitting."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from ptx.models.chat import ChatTemplate, TemplateRefusalError, sources_of, tokens_of

FOLDER = Path(find_spec("trl").submodule_search_locations[0]) / "chat_templates"
COLLECTED = sorted(FOLDER.glob("*.jinja"))
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<p>", "unk_token": "<u>"}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 'é\n"q"'}}}
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "hi  <b> é"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nhello"},
]
TOOLS_USED = [
    *TALK,
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": "", "reasoning_content": "so", "tool_calls": [CALL]},
    {"role": "tool", "content": "3", "name": "add"},
    {"role": "assistant", "content": "It is 3."},
]
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "adds", "parameters": {"properties": {}}},
}


@pytest.mark.parametrize("file", COLLECTED, ids=lambda file: file.stem)
def test_text_and_marks_are_those_of_transformers(file):
    from transformers.utils.chat_template_utils import render_jinja_template

    source = file.read_text()
    ours = ChatTemplate({"default": source}, TOKENS)
    for turns in (TALK, TALK[1:], TOOLS_USED):
        for tools in (None, [TOOL]):
            for ask in (False, True):
                options = {"tools": tools, "add_generation_prompt": ask, "chat_template": source, **TOKENS}
                try:
                    text, marks = render_jinja_template([turns], return_assistant_tokens_mask=True, **options)
                except Exception:  # noqa: BLE001 whatever its templates raise
                    with pytest.raises(TemplateRefusalError):
                        ours.render(turns, tools, ask=ask)
                else:
                    assert ours.render(turns, tools, ask=ask) == (text[0], marks[0])


def test_there_are_many_templates_to_compare():
    assert len(COLLECTED) > 40


def made(source, **tokens):
    return ChatTemplate({"default": source}, tokens)


EACH = "{% for m in messages %}"


def test_what_the_template_raises_is_the_message():
    template = made("{{ raise_exception('no system here') if messages[0].role == 'system' }}")
    with pytest.raises(TemplateRefusalError, match=r"^no system here$"):
        template.render(TALK)
    with pytest.raises(TemplateRefusalError, match="TypeError"):
        made("{{ 'a' + messages[0].content }}").render([{"role": "user", "content": None}])
    with pytest.raises(TemplateRefusalError, match="cannot be read"):
        made("{% for %}")


def test_a_template_reaches_nothing_outside_its_sandbox():
    with pytest.raises(TemplateRefusalError, match="SecurityError"):
        made("{{ ''.__class__.__mro__ }}{{ messages.__class__.__base__.__subclasses__() }}").render(TALK)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            EACH + "{{ m.tool_calls[0].function.arguments | tojson }}{% endfor %}",
            '{"a": 1, "b": "é\\n\\"q\\""}',
        ),
        (
            EACH + "{{ 'C:' + m.tool_calls[0].function.arguments }}{% endfor %}",
            'C:{"a": 1, "b": "é\\n\\"q\\""}',
        ),
        (
            EACH + "{{ m.content + 'x' }}{{ m.tool_calls[0].function | tojson }}{% endfor %}",
            'x{"name": "add", "arguments": {"a": 1, "b": "é\\n\\"q\\""}}',
        ),
        (
            EACH + "{% if m.content is none %}{{ m.tool_calls[0].function | tojson }}{% endif %}{% endfor %}",
            '{"name": "add", "arguments": {"a": 1, "b": "é\\n\\"q\\""}}',
        ),
    ],
)
def test_tool_calls_get_the_form_that_the_template_writes(source, text):
    """As an object or as text, beside no content or an empty one: templates want either."""
    call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    fitted = made(source).fit([call])
    assert fitted.rendered.text == text
    assert [loss.key for loss in fitted.lost if "name" in source] == []


def test_reasoning_is_given_under_the_name_that_the_template_reads():
    turn = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    for name in ("reasoning_content", "thinking", "reasoning"):
        template = made(EACH + "{{ m['" + name + "'] }}{{ m.content }}{% endfor %}")
        assert template.fit([turn]).rendered.text == "hma"
        assert template.knows_reasoning
    plain = made(EACH + "{{ m.content }}{% endfor %}{{ enable_thinking }}")
    assert not plain.knows_reasoning
    assert [loss.key for loss in plain.fit([turn]).lost] == ["reasoning_content"]


def test_the_mark_for_training_is_no_business_of_the_template():
    fitted = made("{{ messages | tojson }}").fit([{"role": "user", "content": "a", "train": False}])
    assert fitted.rendered.text == '[{"role": "user", "content": "a"}]'


def test_the_files_of_a_model_folder_are_read(tmp_path):
    assert ChatTemplate.of(tmp_path) is None
    config = {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": "one"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert sources_of(tmp_path) == {"default": "one"}
    assert tokens_of(tmp_path) == {"bos_token": "<s>", "eos_token": "</s>"}
    named = [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t{{ bos_token }}"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": named}))
    template = ChatTemplate.of(tmp_path)
    assert template.render(TALK).text == "d"
    assert template.render(TALK, [TOOL]).text == "t<s>"
    (tmp_path / "chat_template.jinja").write_text("the file wins")
    assert ChatTemplate.of(tmp_path).render(TALK).text == "the file wins"
