"""Weights keep their own dtype from file to file."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptx.files import read_json
from ptx.lm.dtypes import coarsest_dtype, exact_dtype, keep_dtypes, main_dtype, stored_dtypes
from ptx.lm.load import load_model, load_tokenizer, save_model


@pytest.fixture
def stored(plain_model, tmp_path):
    """``stored(torch.bfloat16, norms=torch.float32)``: the model in these dtypes."""

    def make(dtype, norms=None, name="original"):
        folder = tmp_path / name
        shutil.copytree(plain_model, folder)
        tensors = load_file(folder / "model.safetensors")
        made = {key: one.to(norms if norms and "norm" in key else dtype) for key, one in tensors.items()}
        save_file(made, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


@pytest.mark.parametrize("few", [torch.bfloat16, torch.float16])
def test_a_folder_of_two_dtypes_is_computed_in_float32_and_saved_in_its_own(stored, tmp_path, few):
    original = stored(few, torch.float32)
    name = str(few).removeprefix("torch.")
    assert (main_dtype(original), exact_dtype(original), coarsest_dtype(original)) == (name, "float32", name)
    save_model(load_model(original, exact_dtype(original)), load_tokenizer(original), tmp_path / "made")
    assert set(stored_dtypes(tmp_path / "made").values()) == {"float32"}
    assert keep_dtypes(tmp_path / "made", original) > 0
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "made", original))
    assert {key: one.dtype for key, one in ours.items()} == {key: one.dtype for key, one in theirs.items()}
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert read_json(tmp_path / "made" / "config.json")["dtype"] == name
    assert keep_dtypes(tmp_path / "made", original) == 0


def test_norms_that_were_only_rounded_get_their_digits_back_and_changed_ones_do_not(stored, tmp_path):
    original, made = stored(torch.bfloat16, torch.float32), tmp_path / "made"
    file = original / "model.safetensors"
    exact = {name: one + 1 / 1000 if "norm" in name else one for name, one in load_file(file).items()}
    save_file(exact, file, metadata={"format": "pt"})
    network = load_model(original, "bfloat16")
    with torch.no_grad():
        network.model.norm.weight += 1
    save_model(network, load_tokenizer(original), made)
    keep_dtypes(made, original)
    ours = load_file(made / "model.safetensors")
    assert [name for name in ours if not torch.equal(ours[name], exact[name])] == ["model.norm.weight"]
    assert ours["model.norm.weight"].dtype == torch.float32


def test_a_folder_of_one_dtype_is_not_written_twice(stored, tmp_path):
    original = stored(torch.bfloat16)
    assert exact_dtype(original) == "bfloat16"
    save_model(load_model(original, "bfloat16"), load_tokenizer(original), tmp_path / "made")
    before = (tmp_path / "made" / "model.safetensors").stat().st_mtime_ns
    assert keep_dtypes(tmp_path / "made", original) == 0
    assert (tmp_path / "made" / "model.safetensors").stat().st_mtime_ns == before


def test_shards_and_their_index_say_what_they_hold(stored, tmp_path):
    original, made = stored(torch.bfloat16, torch.float32), tmp_path / "made"
    load_model(original, "float32").save_pretrained(made, max_shard_size="20KB")
    assert len(list(made.glob("*.safetensors"))) > 1
    keep_dtypes(made, original)
    total = read_json(made / "model.safetensors.index.json")["metadata"]["total_size"]
    assert total == sum(one.nbytes for file in made.glob("*.safetensors") for one in load_file(file).values())
    assert stored_dtypes(made) == stored_dtypes(original)
