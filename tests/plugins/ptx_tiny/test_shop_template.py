"""The template with tools is the model's own where there are none."""

from ptx.models.calls import way_of
from ptx.models.chat import ChatTemplate
from ptx_tiny.shop_data import TOOLS
from ptx_tiny.shop_template import TOOL_TEMPLATE, write_model
from ptx_tiny.template import CHAT_TEMPLATE

TOKENS = {"bos_token": "<|bos|>"}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
]


def test_without_tools_it_writes_what_the_own_template_writes():
    with_tools, own = (
        ChatTemplate({"default": TOOL_TEMPLATE}, TOKENS),
        ChatTemplate({"default": CHAT_TEMPLATE}, TOKENS),
    )
    for ask in (False, True):
        assert with_tools.render(TURNS, ask=ask) == own.render(TURNS, ask=ask)


def test_calls_are_written_and_read_and_the_model_is_a_folder(tmp_path):
    template = ChatTemplate({"default": TOOL_TEMPLATE}, TOKENS)
    assert way_of(template).name == "tool_call tags"
    assert template.fit(TURNS, TOOLS, ask=True).lost == []
    write_model(tmp_path / "model", tmp_path)
    assert ChatTemplate.of(tmp_path / "model").sources["default"] == TOOL_TEMPLATE
