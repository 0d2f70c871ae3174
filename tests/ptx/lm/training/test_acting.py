"""Models that can act in an environment, found before they are loaded."""

from dataclasses import dataclass
from typing import ClassVar

from ptx import Environment, Method
from ptx.lm.training.acting import environment_problems
from ptx_tiny import MODEL_FOLDER
from ptx_tiny.shop_template import TOOL_TEMPLATE, write_model


@dataclass
class Acting(Method):
    acts: ClassVar[bool] = True


def problems(folder, method=None):
    return [one.what for one in environment_problems(method or Acting(environment=Environment()), folder)]


def test_a_template_must_write_tools_calls_and_results(tmp_path):
    write_model(tmp_path / "tools", tmp_path)
    assert problems(tmp_path / "tools") == []
    assert "it writes no tools" in problems(MODEL_FOLDER)[0]
    deaf = TOOL_TEMPLATE.replace("{{- message['content'] + '<|end|>' }}", "{{- '<|end|>' }}")
    (tmp_path / "tools" / "chat_template.jinja").write_text(deaf)
    assert "does not write what a tool has said" in problems(tmp_path / "tools")[0]


def test_a_template_that_rewrites_earlier_turns_is_refused(tmp_path):
    write_model(tmp_path / "tools", tmp_path)
    other = TOOL_TEMPLATE.replace("{{- bos_token }}", "{{- bos_token }}{{- messages | length }}")
    (tmp_path / "tools" / "chat_template.jinja").write_text(other)
    assert "writes earlier turns differently" in problems(tmp_path / "tools")[0]


def test_other_methods_and_no_environment_ask_for_nothing():
    assert problems(MODEL_FOLDER, Acting()) == []
    assert problems(MODEL_FOLDER, Method(environment=Environment())) == []
