"""The places of replies in templates that do not mark them."""

from pathlib import Path

import pytest

from ptx.models.chat import ChatTemplate
from ptx.models.replies import PROBE, NoPlaceError, finds_replies, reply_spans

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = [{"role": "system", "content": "be kind"}, *PROBE]
SMOLLM = (  # as SmolLM2 and many others write conversations, without a mark
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def said(source, turns, tools=None):
    template = ChatTemplate({"default": source}, TOKENS)
    fitted = template.fit(turns, tools)
    return [fitted.rendered.text[start:end] for start, end in reply_spans(template, fitted, tools)]


def test_a_reply_ends_with_its_end_token():
    assert said(SMOLLM, SYSTEM) == ["first reply<|im_end|>", "second reply<|im_end|>"]


@pytest.mark.parametrize(
    "name", ["cohere", "cohere2", "gemma3", "lfm2", "llama3", "qwen2_5_vl", "qwen3_instruct_2507", "qwen3_vl"]
)
def test_the_places_are_those_that_trl_marks(name):
    trl = pytest.importorskip("trl")
    folder = Path(trl.__file__).parent / "chat_templates"
    marked, plain = ((folder / f"{name}{end}.jinja").read_text() for end in ("_training", ""))
    assert "generation %}" not in plain
    assert said(plain, PROBE) == [reply.rstrip() for reply in said(marked, PROBE)]


def test_white_space_of_a_reply_without_an_end_token_stays():
    bare = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{{ 'assistant: ' if add_generation_prompt }}"
    )
    assert said(bare, PROBE) == ["first reply\n", "second reply\n"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages|length }}" + SMOLLM,
        SMOLLM.replace("m['content']", "(m['content'] if loop.last else m['content'][:5])"),
    ],
)
def test_a_template_that_rewrites_earlier_turns_has_no_places(source):
    with pytest.raises(NoPlaceError):
        said(source, PROBE)
    assert not finds_replies(ChatTemplate({"default": source}, TOKENS))


def test_a_call_of_a_tool_is_a_reply():
    source = SMOLLM.replace(
        "m['content']", "(m['content'] or '') + (m.tool_calls|tojson if m.tool_calls else '')"
    )
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    turns = [
        PROBE[0],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "2"},
    ]
    (reply,) = said(source, turns)
    assert reply.startswith('[{"type": "function"')
    assert reply.endswith("<|im_end|>")
