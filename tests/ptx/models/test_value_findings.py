"""Values that no model can have, each told with the value and what mends it."""

import json

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from ptx.models.contradictions import faults, findings, notes, refusals
from ptx.models.finding import EXPORT
from ptx.models.mend import mend
from ptx.models.value_findings import known_types
from tests.ptx.models import public

SMOL = "SmolLM2-135M-Instruct"
CODE = {"AutoConfig": "configuration_smol.SmolConfig", "AutoModelForCausalLM": "org/x--modeling_smol.SmolLM"}


@pytest.fixture
def changed(tmp_path):
    """``changed("config.json", **values)``: a public model with other values, and other tensors."""

    def changed(file="config.json", tensors=(), **values):
        made = public.write(tmp_path / "model", SMOL)
        held = json.loads((made / file).read_text()) if (made / file).is_file() else {}
        (made / file).write_text(json.dumps(held | values))
        public.weights(made / "model.safetensors", public.tensors_of(public.MODELS[SMOL][0]) | dict(tensors))
        return made

    return changed


def _eight_bits(**extra):
    stored = public.tensors_of(public.MODELS[SMOL][0])
    return {name: ("F8_E4M3", shape) for name, (_, shape) in stored.items() if "proj" in name} | extra


Q = "model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dtype": "int8"}, "dtype='int8', in which no weights can be computed"),
        ({"torch_dtype": "bf16"}, "torch_dtype='bf16', in which no weights"),
        ({"dtype": 16}, "dtype=16, in which no weights"),
        ({"dtype": "torch.bfloat16"}, ""),
        ({"rms_norm_eps": 1.0}, "rms_norm_eps=1.0; models have 1e-12 to 1e-5"),
        ({"rms_norm_eps": -1e-5}, "rms_norm_eps=-1e-05"),
        ({"rms_norm_eps": "1e-5"}, "rms_norm_eps='1e-5'"),
        ({"rms_norm_eps": 1e-12}, ""),
        ({"model_type": "smol"}, "model_type='smol', which the installed transformers does not have"),
        (
            {"model_type": "smol", "auto_map": CODE},
            "(configuration_smol.py, modeling_smol.py, by auto_map) is a",
        ),
        ({"layer_types": ["full_attention"] * 12}, "has 30 layers, and layer_types has 12 entries"),
        ({"layer_types": ["full_attention"] * 30}, ""),
        ({"sliding_window": 0}, "sliding_window=0: a token would read no other one"),
        ({"partial_rotary_factor": 2.0}, "rotates 2.0 of each head"),
        ({"attention_bias": True}, f"attention_bias=true, and {Q} has none"),
        ({"attention_bias": False, "tensors": {f"{Q}.bias": ("BF16", [64])}}, f"false, and {Q} has one"),
        ({"tensors": _eight_bits()}, "210 weights are stored as float8 (F8_E4M3) and no tensor is a scale"),
    ],
)
def test_a_value_that_cannot_be_spoils_every_use(changed, values, said):
    told = [str(fault) for fault in faults(changed(**values))]
    assert len(told) == bool(said), told
    assert said in "".join(told)


def test_float8_weights_with_their_scales_are_whole(changed):
    packed = {"quantization_config": {"quant_method": "fp8"}}
    scaled = _eight_bits(**{f"{Q}.weight_scale_inv": ("F32", [1])})
    assert not [found for found in findings(changed(tensors=scaled, **packed)) if "float8" in found.what]
    (fault,) = faults(changed(tensors=_eight_bits(), **packed))
    assert "no tensor is a scale of them, first" in str(fault)


def test_code_of_a_known_type_is_a_note_which_says_that_it_is_not_run(changed):
    (note,) = notes(changed(auto_map=CODE))
    assert "(configuration_smol.py, modeling_smol.py). ptx never runs it" in str(note)
    (note,) = notes(changed("tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_x.X", None]}))
    assert "tokenizer_config.json names code of the folder's own in auto_map (tokenization_x.py)" in str(note)


def test_the_known_types_are_those_of_transformers():
    assert known_types() >= {*CONFIG_MAPPING_NAMES}


def test_a_base_of_the_rotation_that_is_said_twice_is_refused_for_exports(changed):
    twice = changed(rope_theta=10000.0, rope_parameters={"rope_type": "default", "rope_theta": 1e5})
    (problem,) = refusals(twice, EXPORT)
    assert "rope_theta=10000.0 and, in rope_parameters, 100000.0" in str(problem)
    assert not findings(changed(rope_theta=1e5, rope_parameters={"rope_theta": 1e5}))


def test_two_dtypes_that_differ_are_a_note(changed):
    (note,) = notes(changed(dtype="bfloat16", torch_dtype="float16"))
    assert "dtype=bfloat16 and torch_dtype=float16: transformers 5 reads the first" in str(note)


@pytest.mark.parametrize(
    ("name", "value"),
    [("repetition_penalty", 0.0), ("temperature", "hot"), ("top_p", 1.5), ("max_new_tokens", 0)],
)
def test_a_setting_with_which_nothing_can_be_generated_is_a_note(changed, name, value):
    told = [str(note) for note in notes(changed("generation_config.json", do_sample=True, **{name: value}))]
    assert len(told) == 1
    assert f"{name}={value!r}, which must be above 0" in told[0]


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"dtype": "int8"}),
        ("config.json", {"dtype": "bfloat16", "torch_dtype": "float16"}),
        ("config.json", {"auto_map": CODE}),
        ("config.json", {"sliding_window": -1}),
        ("config.json", {"attention_bias": True}),
        ("generation_config.json", {"repetition_penalty": 0}),
    ],
)
def test_a_mended_copy_has_no_finding(changed, tmp_path, file, values):
    mended, left = mend(changed(file, **values), tmp_path / "mended")
    assert (len(mended), left) == (1, [])
