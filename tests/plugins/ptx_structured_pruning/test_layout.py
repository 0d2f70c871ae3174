import pytest
import transformers

from ptx_structured_pruning import Depth, Width
from ptx_structured_pruning.layout import Sizes, cut, dropped, layout_problems, size_problems

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 172,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "num_hidden_layers": 5,
    "rms_norm_eps": 1e-5,
}


def shapes(*others):
    parts = [
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    ]
    inner = [
        f"model.layers.{layer}.{part}.weight" for layer in range(5) for part in (*parts, "input_layernorm")
    ]
    return dict.fromkeys([*inner, "model.embed_tokens.weight", "model.norm.weight", *others], (1,))


def test_a_llama_is_known_and_its_sizes_are_read():
    assert (
        layout_problems(LLAMA, shapes("lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"), "m")
        == []
    )
    assert Sizes.of(LLAMA) == Sizes(layers=5, hidden=64, ffn=172, groups=4, heads=2, head_dim=8)


@pytest.mark.parametrize(
    ("tensor", "config", "said"),
    [
        ("model.layers.0.mlp.experts.0.w1.weight", {}, "it has mlp.experts.0.w1.weight"),
        ("model.layers.0.input_layernorm.bias", {}, "it has input_layernorm.bias"),
        ("transformer.wpe.weight", {}, "it has transformer.wpe.weight"),
        ("lm_head.weight", {"rms_norm_eps": None}, "its config has no rms_norm_eps"),
        ("lm_head.weight", {"quantization_config": {}}, "packed weights cannot be cut"),
    ],
)
def test_other_architectures_are_refused_with_what_is_other(tensor, config, said):
    (problem,) = layout_problems(LLAMA | config, shapes(tensor), "m")
    assert said in problem.what


def test_a_missing_projection_is_named():
    names = {name: shape for name, shape in shapes().items() if "gate_proj" not in name}
    assert "it lacks mlp.gate_proj.weight" in layout_problems(LLAMA, names, "m")[0].what


def test_shares_are_rounded_to_the_multiple_and_numbers_are_taken_as_they_are():
    sizes = Sizes.of(LLAMA)
    assert cut(Width(ffn=0.5, multiple=32), sizes).ffn == 96
    assert cut(Width(ffn=100, multiple=32), sizes).ffn == 100
    assert cut(Width(ffn=1, groups=0.5, heads=0.5), sizes) == Sizes(5, 64, 172, 2, 1, 8)
    assert cut(Width(ffn=0.01, multiple=8), sizes).ffn == 8
    assert cut(Width(ffn=1, hidden=0.75), sizes).ffn == 172  # 1 leaves what is no multiple
    assert [dropped(Depth(layers=value), sizes) for value in (0.25, 0.5, 1, 3)] == [1, 2, 1, 3]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Depth(layers=5), "removes 5 of 5 layers; try compress.depth.layers=1"),
        (Depth(layers=0.05), "removes 0 of 5 layers"),
        (Width(ffn=200), "compress.width.ffn=200 is more than the model has: 172"),
        (Width(ffn=1, heads=0.9), "compress.width removes nothing: 4 groups of 2 query heads"),
        (
            Width(ffn=1, groups=3),
            (
                "64 hidden channels are no multiple of 6 heads, and transformers does not load such a llama;"
                " try "
            ),
        ),
    ],
)
def test_sizes_that_cannot_be_are_refused_with_the_fix(config, said):
    assert said in str(size_problems(config, LLAMA)[0])


def test_the_fix_for_heads_that_do_not_divide_can_be_taken():
    (problem,) = size_problems(Width(ffn=1, groups=3), LLAMA)
    assert problem.fix == "try compress.width.groups=2 or compress.width.hidden=60"
    for fixed in (Width(ffn=1, groups=2), Width(ffn=1, groups=3, hidden=60)):
        assert size_problems(fixed, LLAMA) == []
    assert size_problems(Width(ffn=1, groups=3), LLAMA | {"model_type": "qwen2"}) == []


def test_these_architectures_are_known(network):
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert layout_problems(network.config.to_dict(), shapes, "m") == []


def test_a_norm_over_all_heads_is_not_known():
    config = transformers.Olmo2Config(
        vocab_size=64, hidden_size=48, num_hidden_layers=2, num_attention_heads=6
    )
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in transformers.Olmo2ForCausalLM(config).state_dict().items()
    }
    assert "self_attn.q_norm" in layout_problems(config.to_dict(), shapes, "m")[0].what
