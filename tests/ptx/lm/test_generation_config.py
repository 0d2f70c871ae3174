"""Configurations that transformers reads and would not save are mended when the model is loaded."""

import json
import shutil

import pytest

from ptx.errors import StepError
from ptx.lm.generation_config import invalid, mend
from ptx.lm.load import load_model

#: as public models have them: Llama 2 chat and Vicuna, a translation model, one with a negative padding token
PUBLIC = {
    "llama-2-chat": (
        {"temperature": 0.9, "top_p": 0.6},
        {"do_sample": True, "temperature": 0.9, "top_p": 0.6},
    ),
    "top_k": ({"top_k": 20, "do_sample": False}, {"do_sample": True, "top_k": 20}),
    "beams": ({"length_penalty": 2.0, "early_stopping": True}, {"do_sample": None}),
    "padding": ({"pad_token_id": -1}, {"pad_token_id": None}),
    "outputs": ({"output_scores": True}, {"do_sample": None}),
}


@pytest.mark.parametrize(("given", "kept"), PUBLIC.values(), ids=PUBLIC)
def test_a_model_with_a_generation_config_of_the_public_kind_is_saved_and_read_again(
    plain_model, tmp_path, given, kept
):
    folder = tmp_path / "model"
    shutil.copytree(plain_model, folder)
    described = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(described | given))
    load_model(folder).save_pretrained(tmp_path / "made")
    again = load_model(tmp_path / "made").generation_config
    assert invalid(again) == set()
    assert {name: getattr(again, name) for name in kept} == kept


def test_a_valid_generation_config_stays_as_it_is():
    from transformers import GenerationConfig

    config = GenerationConfig(do_sample=True, temperature=0.7, eos_token_id=[1, 2])
    before = config.to_dict()
    mend(config)
    assert config.to_dict() == before


def test_what_cannot_be_mended_is_refused_when_the_model_is_loaded(plain_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(plain_model, folder)
    (folder / "generation_config.json").write_text(json.dumps({"num_return_sequences": 4}))
    with pytest.raises(StepError, match="num_return_sequences"):
        load_model(folder)
