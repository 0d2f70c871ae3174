"""The facts of a scheme are stated without the library; here they are compared with its presets."""

from ptx.lm.compression.grid import CHANNEL
from ptx_quant.scheme import FREE, SCHEMES


def presets():
    from compressed_tensors.quantization import preset_name_to_scheme

    return {name: preset_name_to_scheme(scheme.preset, ["Linear"]) for name, scheme in SCHEMES.items()}


def test_bits_and_groups_are_those_of_the_librarys_preset():
    for name, preset in presets().items():
        scheme = SCHEMES[name]
        assert preset.weights.num_bits == scheme.bits, name
        if scheme.group == CHANNEL:
            assert preset.weights.strategy in ("channel", "tensor"), name
        elif scheme.group != FREE and name != "fp8_block":
            assert preset.weights.group_size == scheme.group, name
    assert presets()["fp8_block"].weights.block_structure == [SCHEMES["fp8_block"].group] * 2


def test_a_scheme_needs_data_where_the_preset_has_static_activations():
    for name, preset in presets().items():
        activations = preset.input_activations
        static = activations is not None and activations.dynamic is not True
        assert SCHEMES[name].calibrated is (static or name == "w8a8_static"), name


def test_only_formats_of_4_and_8_bits_with_shared_exponents_need_a_16_bit_base():
    assert {name for name, scheme in SCHEMES.items() if scheme.half} == {
        name for name in SCHEMES if name.startswith(("nvfp4", "mxfp"))
    }
