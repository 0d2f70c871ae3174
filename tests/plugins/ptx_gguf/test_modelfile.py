import re
import shutil

import pytest

from ptx.models.chat import ChatTemplate
from ptx_gguf.go_template import around
from ptx_gguf.modelfile import quote, settings, write_modelfile

INSTRUCTION = re.compile(r'(\w+) (?:(\w+) )?("""[\s\S]*?"""|"[^"\n]*"|\S+)\n')


def read(folder):
    """The file as Ollama reads it: (instruction, name or "", value without its quotation marks)."""
    text = (folder / "Modelfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    found = []
    while text:
        line = INSTRUCTION.match(text)
        assert line, text
        value = line[3].removeprefix('"""').removesuffix('"""') if '"""' in line[3] else line[3].strip('"')
        found.append((line[1], line[2] or "", value))
        text = text[line.end() :]
    return found


@pytest.fixture
def folder(chat_model, tmp_path):
    return shutil.copytree(chat_model, tmp_path / "package")


def test_the_file_says_what_ollama_would_otherwise_choose_itself(folder):
    sampling = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.05}
    assert write_modelfile(folder, sampling, ["<|end|>"], 256, begins=False) == ""
    found = read(folder)
    assert found[0] == ("FROM", "", "./model.gguf")
    values = {name: value for kind, name, value in found if kind == "PARAMETER"}
    assert values == {
        "num_ctx": "256",
        "temperature": "0.6",
        "top_k": "50",
        "top_p": "0.9",
        "repeat_penalty": "1.05",
        "stop": "<|end|>",
    }
    assert found[-1] == ("TEMPLATE", "", around(ChatTemplate.of(folder), begins=False).go())


def test_a_model_that_takes_the_likeliest_token_does_so_on_ollama():
    found = dict(settings({"temperature": 0.7, "max_new_tokens": 64}, 128))
    assert found == {"num_ctx": 128, "temperature": 0, "repeat_penalty": 1.0, "num_predict": 64}


def test_what_ends_a_turn_ends_the_reply_too(folder):
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|eot|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    write_modelfile(folder, {}, ["</s>"], 128, begins=False)
    assert [value for _, name, value in read(folder) if name == "stop"] == ["</s>", "<|eot|>"]


def test_a_chat_template_that_ollama_cannot_say_is_left_out_with_a_word(folder):
    template = "{{ strftime_now('%d') }}{% for m in messages %}{{ m.content }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template)
    assert "does more than Ollama" in write_modelfile(folder, {}, [], 128, begins=False)
    assert "TEMPLATE" not in {kind for kind, _, _ in read(folder)}
    assert "llama-server -m model.gguf --jinja" in (folder / "Modelfile").read_text()


def test_a_model_without_a_chat_template_completes_the_prompt(folder):
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    assert write_modelfile(folder, {}, [], 128, begins=False) == ""
    assert read(folder)[-1] == ("TEMPLATE", "", "{{ .Prompt }}")


@pytest.mark.parametrize(
    ("text", "held"), [("<e>", '"<e>"'), ("a\nb", '"""a\nb"""'), ('say "x"', '"""say "x""""')]
)
def test_a_text_is_held_whole(text, held):
    assert quote(text) == held
