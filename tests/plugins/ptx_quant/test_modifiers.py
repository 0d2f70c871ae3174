import pytest

from ptx import RunConfig
from ptx_quant import AWQ, GPTQ, RTN, AutoRound, Mixed, SmoothQuant, SpinQuant, ptx_validate
from ptx_quant.modifiers import config_groups, recipe, rotation, rounding

FAST = {"samples": 6, "max_length": 64}


def said(config, model):
    return [str(problem) for problem in ptx_validate(RunConfig(compress={"it": config}), model, None)]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (RTN(), "rtn"),
        (GPTQ(**FAST), "gptq"),
        (AWQ(**FAST), "rtn"),
        (SpinQuant(then="none"), "none"),
        (Mixed(**FAST), "gptq"),
        (AutoRound(**FAST), "autoround"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_algorithm_names_what_rounds(config, name):
    assert rounding(config) == name


def test_layers_of_one_format_are_one_group_and_others_are_listed_by_name():
    one = config_groups(RTN(), {"model.layers.0.up": (4, 32), "model.layers.0.down": (4, 32)})
    assert {name: group.targets for name, group in one.items()} == {"group_0": ["Linear"]}
    two = config_groups(RTN(symmetric=False), {"model.layers.0.up": (8, 32), "model.layers.0.down": (4, -1)})
    assert [group.targets for group in two.values()] == [
        [r"re:^model\.layers\.0\.down$"],
        [r"re:^model\.layers\.0\.up$"],
    ]
    weights = [group.weights for group in two.values()]
    assert [(part.num_bits, part.strategy, part.group_size) for part in weights] == [
        (4, "channel", None),
        (8, "group", 32),
    ]
    assert not any(part.symmetric for part in weights)


@pytest.mark.slow
def test_a_transformation_comes_before_what_rounds():
    made = recipe(SmoothQuant(strength=0.7, **FAST), ["lm_head"], {"layer": (8, -1)})
    assert [type(modifier).__name__ for modifier in made] == ["SmoothQuantModifier", "QuantizationModifier"]
    assert made[0].smoothing_strength == 0.7
    assert made[1].ignore == ["lm_head"]
    alone = recipe(SpinQuant(then="none"), ["lm_head"], {"layer": (4, 32)})
    assert [type(modifier).__name__ for modifier in alone] == ["SpinQuantModifier"]
    (gptq,) = recipe(GPTQ(act_order=False, dampening=0.2, **FAST), [], {"layer": (4, 32)})
    assert (gptq.actorder, gptq.dampening_frac) == (None, 0.2)


@pytest.mark.parametrize(
    ("hidden", "head", "kind"),
    [
        (2048, 64, "hadamard"),
        (576, 64, "random-hadamard"),  # SmolLM2 135M
        (2048, 80, "random-hadamard"),
        (2304, 256, "random-hadamard"),
        (600, 64, "random-matrix"),
        (5376, 128, "random-hadamard"),
        (1030, 64, "random-matrix"),
    ],
)
def test_a_rotation_is_of_a_kind_that_exists_for_the_sizes_of_the_model(hidden, head, kind):
    assert rotation(SpinQuant(), {"R1": hidden, "R2": head})["transform_type"] == kind
    assert rotation(SpinQuant(rotations=["R2"]), {"R1": 600, "R2": 64})["transform_type"] == "hadamard"
    blocks = SpinQuant(args={"transform_block_size": 64})
    assert rotation(blocks, {"R1": hidden, "R2": head})["transform_type"] == "hadamard"


@pytest.mark.slow
def test_arguments_for_the_library_are_checked_by_name_and_type(plain_model):
    assert (
        "no argument 'n_gird' of llm-compressor's AWQModifier; did you mean 'n_grid'?"
        in said(AWQ(args={"n_gird": 3}, **FAST), plain_model)[0]
    )
    assert (
        "compress.awq.args.n_grid must be int, got 'many'"
        in said(AWQ(args={"n_grid": "many"}, **FAST), plain_model)[0]
    )
    found = said(GPTQ(args={"dampening_frac": 0.1}, **FAST), plain_model)[0]
    assert "compress.gptq.args.dampening_frac is for ptx to set; use compress.gptq.dampening" in found
    assert said(GPTQ(args={"block_size": 64}, **FAST), plain_model) == []
