"""Contradictions of config.json, told before a library meets them."""

import json

import pytest

from ptx.models.contradictions import faults, findings, notes
from ptx.models.finding import TRAIN
from ptx.models.folder import open_folder
from tests.ptx.models import public

SMOL = "SmolLM2-135M-Instruct"


@pytest.fixture
def changed(tmp_path):
    """A folder whose config.json has other values, and whose first layer has matrices of these shapes."""

    def changed(shapes=(), **values):
        made = public.write(tmp_path / "model", SMOL)
        config = json.loads((made / "config.json").read_text()) | values
        (made / "config.json").write_text(json.dumps(config))
        held = public.tensors_of(public.MODELS[SMOL][0])
        held |= {f"model.layers.0.{name}.weight": ("BF16", shape) for name, shape in dict(shapes).items()}
        public.weights(made / "model.safetensors", held)
        return made

    return changed


HEADS = {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 128}
SHAPES = {"self_attn.q_proj": [64, 64], "self_attn.k_proj": [16, 64], "mlp.gate_proj": [128, 64]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ""),
        ({"head_dim": None}, ""),
        ({"num_attention_heads": 7}, "num_attention_heads=7 of 8, which makes 56 rows"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3 of 8, which makes 24 rows"),
        ({"intermediate_size": 256}, "intermediate_size=256, which makes 256 rows"),
    ],
)
def test_heads_and_widths_must_be_those_of_the_matrices(changed, values, said):
    told = [str(fault) for fault in faults(changed(SHAPES, **HEADS | values))]
    assert len(told) == bool(said)
    assert said in "".join(told)


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        ({"type": "linear", "factor": 2.0}, ""),
        ({"rope_type": "default"}, ""),
        ({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}, ""),
        ({"rope_type": "dynmic", "factor": 2.0}, "in a way that is not known: 'dynmic'"),
        ({"rope_type": "yarn"}, "scales positions as yarn without factor"),
        ({"rope_type": "llama3", "factor": 8.0}, "llama3 without low_freq_factor, high_freq_factor"),
        ({"full_attention": {"rope_type": "yarn"}}, "scales positions as yarn without factor"),
    ],
)
def test_a_scaling_of_positions_must_be_whole(changed, scaling, said):
    told = [str(fault) for fault in faults(changed(rope_scaling=scaling))]
    assert len(told) == bool(said)
    assert said in "".join(told)


def test_a_scaling_that_shortens_the_context_is_a_note(changed):
    assert "factor=0.5" in str(notes(changed(rope_scaling={"type": "linear", "factor": 0.5}))[0])


def test_two_chat_templates_that_differ_are_a_note_which_says_who_reads_which(changed):
    made = changed()
    same = json.loads((made / "tokenizer_config.json").read_text())["chat_template"]
    (made / "chat_template.jinja").write_text(same + "\n")
    assert findings(made) == ()
    other = changed()
    (other / "chat_template.jinja").write_text(same + "!")
    (found,) = findings(other)
    assert "ptx and transformers read the first" in found.what
    assert not found.refuses


def test_special_tokens_are_those_that_transformers_takes(tmp_path):
    transformers = pytest.importorskip("transformers")
    import ptx_tiny

    for decoder in ({}, {"added_tokens_decoder": {"2": {"content": "<|end|>", "special": True}}}):
        made = tmp_path / str(len(decoder))
        made.mkdir()
        source = public.Path(ptx_tiny.__file__).parent / "model"
        (made / "tokenizer.json").write_text((source / "tokenizer.json").read_text())
        config = json.loads((source / "tokenizer_config.json").read_text()) | decoder
        (made / "tokenizer_config.json").write_text(json.dumps(config))
        (made / "special_tokens_map.json").write_text('{"eos_token": "<|user|>", "unk_token": null}')
        (made / "config.json").write_text("{}")
        taken = transformers.PreTrainedTokenizerFast.from_pretrained(made)
        assert open_folder(made).special["eos_token"] == taken.eos_token
        assert any(TRAIN in found.refuses for found in findings(made)) == (not decoder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hidden_act": "sillu"}, "hidden_act='sillu', an activation that transformers does not know"),
        ({"rope_theta": 0}, "rope_theta=0, which must be positive"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": -1.0}}, "rope_theta=-1.0"),
        ({"model_type": None}, "has no model_type"),
        (
            {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {}}},
            "has no config_groups",
        ),
    ],
)
def test_what_a_library_would_stumble_over_is_said_before(changed, values, said):
    assert said in "".join(str(fault) for fault in faults(changed(**values)))


def test_a_side_to_pad_on_is_left_or_right(changed):
    folder = changed()
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"padding_side": "both"}))
    assert "padding_side='both'" in "".join(str(fault) for fault in faults(folder))


def test_the_known_activations_are_those_of_transformers():
    from transformers.activations import ACT2FN

    from ptx.models.config_findings import ACTIVATIONS

    assert set(ACTIVATIONS) == set(ACT2FN)
