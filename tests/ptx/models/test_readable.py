"""What lies in a model folder is named where it cannot be read, before anything is concluded from it."""

import json
import os

import pytest

from ptx.models.readable import unreadable


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"hidden_size": 8, "eos_token_id": [1, 2], "head_dim": None})
    )
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "</s>"}}))
    return tmp_path


def test_a_usual_folder_has_no_problem(folder):
    assert unreadable(folder) == []


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("config.json", "[]", "config.json: it holds a list, not an object"),
        ("config.json", "[" * 100_000, "config.json: its values lie more than"),
        (
            "config.json",
            '{"vocab_size": "9"}',
            "vocab_size must be a whole number from 1 to 1,000,000,000, got '9'",
        ),
        ("config.json", '{"num_hidden_layers": -1}', "num_hidden_layers must be"),
        ("config.json", '{"hidden_size": true}', "hidden_size must be"),
        ("config.json", '{"text_config": {"hidden_size": 1e30}}', "hidden_size must be"),
        ("config.json", '{"architectures": "Llama"}', "architectures must be a list of texts"),
        ("tokenizer_config.json", '{"eos_token": 3}', "eos_token must be a text, or an object"),
        ("tokenizer.json", '{"added_tokens": {"a": 1}}', "added_tokens must be a list of objects"),
        ("adapter_config.json", '{"r": -8}', "adapter_config.json: r must be"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../../x"}}', "weight_map names '../../x'"),
        ("chat_template.jinja", b"\xff", "chat_template.jinja: it is not UTF-8"),
    ],
)
def test_each_fault_is_named_with_file_and_field(folder, file, content, fault):
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    (problem,) = unreadable(folder)
    assert fault in str(problem)


@pytest.mark.parametrize(
    "file", ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"]
)
def test_pipes_and_devices_are_not_read(folder, file):
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    (problem,) = unreadable(folder)
    assert f"{file}: it is a pipe, not a file" in str(problem)
    (folder / file).unlink()
    (folder / file).symlink_to("/dev/zero")
    (problem,) = unreadable(folder)
    assert f"{file}: it is a device, not a file" in str(problem)


def test_links_in_a_circle_are_named(folder):
    (folder / "tokenizer.json").symlink_to("tokenizer.json")
    (problem,) = unreadable(folder)
    assert "tokenizer.json: Too many levels of symbolic links" in str(problem)
