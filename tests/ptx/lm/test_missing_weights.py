import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptx.errors import StepError
from ptx.lm.missing_weights import refuse_missing_weights


@pytest.fixture
def keeping(plain_model, tmp_path):
    """``keeping(condition)``: a copy of the model with the tensors whose names fulfil the condition."""

    def make(condition, rename=lambda name: name):
        folder = tmp_path / "model"
        shutil.copytree(plain_model, folder)
        tensors = {
            rename(name): weight
            for name, weight in load_file(folder / "model.safetensors").items()
            if condition(name)
        }
        save_file(tensors or {"none": torch.ones(1)}, folder / "model.safetensors")
        return folder

    return make


def test_a_complete_model_passes(plain_model):
    refuse_missing_weights(plain_model)


def test_a_model_without_most_of_its_weights_is_refused_with_their_number(keeping):
    folder = keeping(lambda name: "norm" in name)
    with pytest.raises(
        StepError, match=r"model holds no model: its config.json describes 21 modules, and 16 of them have no"
    ):
        refuse_missing_weights(folder)


def test_a_few_missing_weights_are_left_to_the_reader(keeping):
    refuse_missing_weights(keeping(lambda name: "layers.0.mlp" not in name))


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.removeprefix("model."),  # a checkpoint of the inner model
        lambda name: name.replace("proj.weight", "proj.weight_packed"),
        lambda name: name.replace("proj.weight", "proj.weight._data"),
    ],
    ids=["without prefix", "compressed-tensors", "quanto"],
)
def test_weights_under_other_names_count_by_their_module(keeping, rename):
    refuse_missing_weights(keeping(lambda _: True, rename))


def test_a_folder_without_weights_or_config_is_left_to_the_reader(tmp_path, plain_model):
    refuse_missing_weights(tmp_path)
    shutil.copy(plain_model / "model.safetensors", tmp_path)
    refuse_missing_weights(tmp_path)
