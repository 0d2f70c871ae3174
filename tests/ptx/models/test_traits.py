from pathlib import Path

import pytest

from ptx.models.traits import Refusal, Traits, refused

PLAIN = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}


def traits(**more):
    return Traits.of(PLAIN | more)


def test_a_plain_configuration_has_no_traits_that_are_lost():
    found = traits()
    assert (found.window, found.rope, found.head_size, found.rotary_size) == (None, "default", 16, 16)
    assert found.every_layer_rotates


@pytest.mark.parametrize(
    ("more", "window"),
    [
        ({"sliding_window": 64}, 64),
        ({"sliding_window": 512}, None),  # as long as the context: it does nothing
        ({"sliding_window": None}, None),
        ({"sliding_window": 64, "use_sliding_window": False}, None),  # Qwen 2 as it is published
        ({"sliding_window": 64, "layer_types": ["full_attention"] * 2}, None),
        ({"sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"]}, 64),
        ({"model_type": "mistral", "max_position_embeddings": 32768}, 4096),  # transformers' default
        ({"model_type": "mistral", "max_position_embeddings": 32768, "sliding_window": None}, None),
    ],
)
def test_a_window_counts_where_a_layer_has_one_below_the_context(more, window):
    assert traits(**more).window == window


@pytest.mark.parametrize(
    ("more", "rope"),
    [
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "linear"),  # transformers 4
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "yarn"),
        ({"rope_scaling": None}, "default"),
        (
            {
                "rope_parameters": {
                    "full_attention": {"rope_type": "linear"},
                    "sliding_attention": {"rope_type": "default"},
                }
            },
            "default+linear",
        ),
    ],
)
def test_the_rotary_scaling_is_read_at_its_old_and_its_new_place(more, rope):
    assert traits(**more).rope == rope


def test_the_rotated_part_of_a_head_has_three_names():
    assert traits(partial_rotary_factor=0.5).rotary_size == 8
    assert traits(rotary_pct=0.25).rotary_size == 4
    assert traits(rope_parameters={"rope_type": "default", "partial_rotary_factor": 0.75}).rotary_size == 12


def test_a_multimodal_models_traits_are_those_of_its_language_model():
    found = Traits.of({"architectures": ["X"], "text_config": PLAIN | {"sliding_window": 32}})
    assert (found.architectures, found.window) == (("X",), 32)


def test_every_refusal_that_applies_is_said_with_the_value_and_what_works():
    refusals = (
        Refusal(
            lambda one: one.window, "has no window, here {traits.window}", "runtime.context={traits.window}"
        ),
        Refusal(lambda one: one.rope != "default", "knows no {traits.rope}"),
        Refusal(lambda one: one.head_size == 17, "never"),
    )
    found = refused("x", Path("m"), traits(sliding_window=64, rope_scaling={"type": "yarn"}), refusals)
    assert [str(problem) for problem in found] == [
        "runtime=x has no window, here 64 (m); runtime.context=64",
        "runtime=x knows no yarn (m); use runtime=hf",
    ]


@pytest.mark.parametrize("name", ["max_position_embeddings", "n_positions", "max_seq_len", "context_length"])
def test_the_context_has_many_names(name):
    assert Traits.of({name: 512}).context == 512
