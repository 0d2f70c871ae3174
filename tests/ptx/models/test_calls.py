"""The way of a template is found by rendering a call and reading it back."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from ptx.models.calls import PROBE, PROBE_TOOL, PROBE_TURN, read_calls, spoken, way_of
from ptx.models.chat import ChatTemplate

FOLDER = Path(find_spec("trl").submodule_search_locations[0]) / "chat_templates"
FAMILIES = {
    "qwen2_5": "tool_call tags",
    "qwen3": "tool_call tags",
    "qwen3_6": "tool_call tags",
    "glm4moe": "tool_call tags",
    "llama3_1": "JSON",
    "llama3_2": "JSON",
    "gptoss": "name and JSON",
    "gemma4": "Gemma",
    "lfm2_v2": "Python",
    "gemma3": None,  # writes no tools
    "phi3": None,
}
MISTRAL = (
    "{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "{%- for m in messages %}{%- if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{%- elif m.tool_calls %}[TOOL_CALLS] [{{ m.tool_calls[0].function | tojson }}]</s>"
    "{%- else %}{{ m.content }}</s>{%- endif %}{%- endfor %}"
)


def template(name):
    return ChatTemplate(
        {"default": (FOLDER / f"{name}.jinja").read_text()}, {"bos_token": "", "eos_token": ""}
    )


@pytest.mark.parametrize(("name", "way"), FAMILIES.items())
def test_each_family_is_read_in_its_own_way(name, way):
    if not (FOLDER / f"{name}.jinja").exists():
        pytest.skip("TRL has collected other templates")
    found = way_of(template(name))
    assert (found and found.name) == way


def test_special_tokens_that_a_runtime_leaves_out_are_not_needed():
    made = ChatTemplate({"default": MISTRAL}, {})
    for special in ((), ("[TOOL_CALLS]", "</s>")):
        assert way_of(made, special).name == "JSON"


def test_what_a_template_writes_is_read_back_and_prose_calls_nothing():
    made = template("qwen3")
    way = way_of(made)
    whole = made.fit([{"role": "user", "content": "Hi"}, PROBE_TURN], [PROBE_TOOL]).rendered.text
    reply = whole[whole.rindex("<|im_start|>assistant") :]
    assert read_calls(reply, way, [PROBE_TOOL]) == [PROBE]
    assert read_calls('An example: {"name": "probe_tool"}', way) == []


def test_a_thought_without_an_end_says_nothing():
    assert spoken("<think>I could call") == ""
    assert spoken("I think</think>Yes") == "Yes"
