"""``ptx mend`` on the command line; what it mends: tests/ptx/models/test_contradictions.py."""

import pytest

from ptx.cli import main
from tests.ptx.models import public


def test_a_folder_that_agrees_with_itself_is_copied_and_that_is_said(tmp_path, capsys):
    folder = public.write(tmp_path / "model", "gpt2")
    assert main(["mend", f"model={folder}", f"out={tmp_path / 'copy'}"]) == 0
    assert "a copy: nothing was found that can be mended" in capsys.readouterr().out


def test_what_only_the_user_can_decide_is_left_and_the_exit_code_says_so(tmp_path, capsys):
    folder = public.write(tmp_path / "model", "gpt2")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("GPT2LMHeadModel", "LlamaForCausalLM"))
    assert main(["mend", str(folder), f"out={tmp_path / 'copy'}"]) == 1
    assert "left: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{folder}", "./copy"], "no folder to write to: './copy'; type out=./copy"),
        (["./nowhere", "out=./copy"], "there is no model folder nowhere"),
    ],
)
def test_words_that_are_wrong_are_explained(tmp_path, capsys, words, said):
    folder = public.write(tmp_path / "model", "gpt2")
    assert main(["mend", *(word.format(folder=folder) for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_check_names_the_contradiction_and_the_command(tmp_path, capsys):
    folder = public.write(tmp_path / "model", "SmolLM2-135M-Instruct")
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"eos_token": "<|im_end|>"', '"eos_token": "<|im_start|>"'))
    assert main(["check", f"model={folder}"]) == 2
    assert "ends a turn with '<|im_end|>' (2)" in (said := capsys.readouterr().err)
    assert f"type: ptx mend {folder} out=./model-mended" in said
