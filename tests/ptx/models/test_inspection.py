"""Model folders: the facts of good ones, and the problems of bad ones, read from their small files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ptx.errors import ConfigError
from ptx.models.inspection import INDEX, inspect, problems
from tests.conftest import TOKENIZER

SHARED = Path(os.environ.get("PTX_SHARED") or Path(__file__).parents[4] / "shared")
STORIES = SHARED / "models" / "stories260K"


def save_safetensors(path, tensors, dtype="F32", size=4):
    """The format by hand: 8 bytes of header length, the header, the data."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        count = size
        for side in shape:
            count *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


@pytest.fixture
def folder(tmp_path):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 64}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    save_safetensors(tmp_path / "model.safetensors", {"a.weight": (3, 4), "b.weight": (5,)})
    return tmp_path


def only(folder):
    (problem,) = problems(folder)
    return str(problem)


def test_a_folder_is_counted_without_reading_a_weight(folder):
    facts = inspect(folder)
    assert (facts.architecture, facts.parameters, facts.dtype, facts.max_positions) == (
        "LlamaForCausalLM",
        17,
        "float32",
        64,
    )
    assert facts.bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert facts.weight_files == ("model.safetensors",)
    assert facts.has_tokenizer
    assert not facts.has_chat_template


def test_a_really_pretrained_model_is_counted_as_its_authors_do():
    if not STORIES.is_dir():
        pytest.skip("needs the model stories260K beside the repository (or PTX_SHARED)")
    facts = inspect(STORIES)
    assert facts.parameters == 260_032
    assert (facts.dtype, facts.max_positions, facts.has_chat_template) == ("float32", 512, False)


@pytest.mark.parametrize("place", ["tokenizer_config.json", "chat_template.jinja", "named"])
def test_a_chat_template_is_found_wherever_it_stands(folder, place):
    template = "{% for m in messages %}{%- generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    if place == "chat_template.jinja":
        (folder / place).write_text(template)
    else:
        value = (
            template
            if place != "named"
            else [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]
        )
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": value}))
    facts = inspect(folder)
    assert facts.has_chat_template
    assert facts.trains_on_assistant
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert not inspect(folder).trains_on_assistant


def test_packed_weights_count_as_the_weights_they_hold(folder):
    config = json.loads((folder / "config.json").read_text())
    groups = {"group_0": {"weights": {"num_bits": 4}}}
    config["quantization_config"] = {"quant_method": "compressed-tensors", "config_groups": groups}
    (folder / "config.json").write_text(json.dumps(config))
    save_safetensors(
        folder / "model.safetensors", {"a.weight_packed": (16, 2), "a.weight_scale": (16, 1)}, "I32"
    )
    facts = inspect(folder)
    assert facts.parameters == 16 * 16
    assert facts.quantized == "compressed-tensors"


def test_layers_of_different_widths_count_each_by_its_own(folder):
    config = json.loads((folder / "config.json").read_text())
    groups = {
        "group_0": {"targets": ["re:^a$"], "weights": {"num_bits": 4}},
        "group_1": {"targets": ["re:^b$"], "weights": {"num_bits": 8}},
    }
    config["quantization_config"] = {"quant_method": "compressed-tensors", "config_groups": groups}
    (folder / "config.json").write_text(json.dumps(config))
    save_safetensors(
        folder / "model.safetensors", {"a.weight_packed": (16, 2), "b.weight_packed": (16, 2)}, "I32"
    )
    assert inspect(folder).parameters == 16 * 2 * 8 + 16 * 2 * 4


def test_a_nested_language_model_gives_its_positions(folder):
    (folder / "config.json").write_text(
        json.dumps({"model_type": "gemma3", "text_config": {"max_position_embeddings": 32}})
    )
    facts = inspect(folder)
    assert (facts.architecture, facts.max_positions) == ("gemma3", 32)


def test_a_missing_folder_says_what_to_type(tmp_path):
    assert "there is no model folder" in only(tmp_path / "nowhere")
    assert "type model=./FOLDER" in only(tmp_path / "nowhere")


def test_everything_missing_is_reported_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        inspect(tmp_path)
    assert [word for word in ("config.json", "no tokenizer", "no weights") if word in str(caught.value)] == [
        "config.json",
        "no tokenizer",
        "no weights",
    ]


def test_a_folder_without_tokenizer_says_how_to_add_it(folder):
    (folder / "tokenizer.json").unlink()
    assert "save_pretrained" in only(folder)


def test_pickled_weights_are_refused_with_the_command_that_converts_them(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pickle only (pytorch_model.bin)" in only(folder)
    assert f"M.from_pretrained('{folder}').save_pretrained('{folder}')" in only(folder)


def test_an_optimizer_beside_safetensors_is_nobodys_business(folder):
    (folder / "optimizer.pt").write_bytes(b"x")
    assert problems(folder) == []


def test_a_download_cut_short_is_seen_from_the_header(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4])
    assert f"cut short: it has {len(whole) - 4} bytes of {len(whole)}" in only(folder)
    weights.write_bytes(whole[:20])
    assert "not a complete safetensors file" in only(folder)
    weights.write_bytes(b"")
    assert "not a complete safetensors file: it has 0 bytes" in only(folder)
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "git lfs pull" in only(folder)


def test_an_index_that_names_a_missing_file_is_reported(folder):
    save_safetensors(folder / "model-00001-of-00002.safetensors", {"a": (2,)})
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": names}))
    assert "names model-00002-of-00002.safetensors, which is not in" in only(folder)
    save_safetensors(folder / "model-00002-of-00002.safetensors", {"b": (3,)})
    assert inspect(folder).parameters == 5


def test_a_broken_config_and_a_left_over_adapter_have_different_problems(folder):
    (folder / "config.json").write_text("{")
    assert "config.json: it is not JSON" in only(folder)
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "./base"}))
    assert "holds the weights of a whole model (model.safetensors) and an adapter" in only(folder)


def test_inspecting_loads_no_ml_library(folder):
    code = (
        "import sys, pathlib; from ptx.models.inspection import inspect;"
        f" inspect(pathlib.Path({str(folder)!r})); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert not {"torch", "transformers", "safetensors", "numpy"} & set(loaded.stdout.split())


@pytest.mark.slow
def test_the_conversion_that_is_advised_works(folder, tmp_path_factory):
    torch = pytest.importorskip("torch")
    if not STORIES.is_dir():
        pytest.skip("needs the model stories260K beside the repository (or PTX_SHARED)")
    from safetensors.torch import load_file

    pickled = tmp_path_factory.mktemp("pickled")
    for file in STORIES.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, pickled)
    torch.save(load_file(STORIES / "model.safetensors"), pickled / "pytorch_model.bin")
    command = only(pickled).partition('python -c "')[2].removesuffix('"')
    subprocess.run([sys.executable, "-c", command], check=True, capture_output=True)
    assert inspect(pickled).parameters == 260_032


def test_weights_in_a_format_of_their_own_beside_the_model_count_once(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "tokenizer.json").write_text(TOKENIZER)
    tensors = {"model.embed_tokens.weight": [8, 4], "lm_head.weight": [8, 4]}
    for name in ("model.safetensors", "consolidated.safetensors"):
        save_safetensors(tmp_path / name, tensors)
    facts = inspect(tmp_path)
    assert (facts.parameters, facts.weight_files) == (64, ("model.safetensors",))
