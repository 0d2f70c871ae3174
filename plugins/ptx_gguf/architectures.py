"""What llama.cpp's format says about each architecture, and what it cannot say. Imports no ML library.

The names of tensors come from the ``gguf`` package. llama.cpp's converter has the rest in a class for each
architecture: further numbers in the header, the order of rows, what is added to norms. It is written here as
data. Only what llama.cpp was seen to serve with transformers' own logits is listed; a test builds each.

llama.cpp also has constants that no header can change: Gemma 2 looks back through a window in every second
layer, SmolLM3 rotates in three layers of four, Qwen3-MoE norms the weights of its experts. A model that
differs there is refused (:attr:`Architecture.differs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]

#: activations that llama.cpp computes alike; its GELU is the approximation by tanh, within 0.002 of the exact
SILU, GELU = ("silu", "swish"), ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast")
#: scalings that are a factor for each frequency, which a Llama's file can hold; yarn scales attention too
FACTORED_ROPES = ("linear", "llama3", "dynamic")


def nothing(_writer: Any, _config: Any) -> None:
    """Write no further numbers."""


@dataclass(frozen=True)
class Architecture:
    """An architecture of llama.cpp: its name, and how a file of it differs from the plainest one."""

    name: str
    ropes: tuple[str, ...] = ("default",)
    pairs: bool = False  # query and key rows are interleaved: llama.cpp rotates neighbours
    shift: float = 0.0  # added to the weights of norms: Gemma multiplies by 1 + weight
    windows: bool = False  # the file can say a sliding window
    add: Callable[[Any, Any], None] = nothing  # (writer, config): writes further numbers
    acts: tuple[str, ...] = SILU
    rules: tuple[Callable[[Config], str], ...] = ()

    def differs(self, described: Config) -> str:
        """Return what of config.json the file cannot say; empty for nothing."""
        return "; ".join(said for rule in self.rules if (said := rule(described)))


def mixture(writer: Any, config: Any) -> None:
    """Write how many experts there are, and how large they are."""
    writer.add_expert_count(getattr(config, "num_experts", None) or config.num_local_experts)
    writer.add_expert_used_count(config.num_experts_per_tok)
    if size := getattr(config, "moe_intermediate_size", None):
        writer.add_expert_feed_forward_length(size)


def granite(writer: Any, config: Any) -> None:
    """Write Granite's four factors."""
    writer.add_attention_scale(float(config.attention_multiplier))
    writer.add_embedding_scale(float(config.embedding_multiplier))
    writer.add_residual_scale(float(config.residual_multiplier))
    writer.add_logit_scale(float(config.logits_scaling))


def gemma2(writer: Any, config: Any) -> None:
    """Write the window and the caps of scores."""
    writer.add_attn_logit_softcapping(float(config.attn_logit_softcapping or 0.0))
    writer.add_final_logit_softcapping(float(config.final_logit_softcapping or 0.0))
    writer.add_sliding_window(config.sliding_window)


def gemma3(writer: Any, config: Any) -> None:
    """Write the window; its layers rotate by a frequency of their own."""
    writer.add_sliding_window(config.sliding_window)
    writer.add_rope_freq_base_swa(float(config.rope_parameters["sliding_attention"]["rope_theta"]))


def logit_scale(writer: Any, config: Any) -> None:
    """Write Cohere's factor of the logits."""
    writer.add_logit_scale(float(config.logit_scale))


def parallel(writer: Any, config: Any) -> None:
    """Write whether attention and feed-forward read the same norm."""
    writer.add_parallel_residual(bool(config.use_parallel_residual))


def must_be(field: str, wanted: Any, default: Any = None) -> Callable[[Config], str]:
    """A rule: the field of config.json has the one value that llama.cpp computes with."""

    def rule(described: Config) -> str:
        found = described.get(field, default)
        return "" if found == wanted else f"{field}={found}; llama.cpp computes with {wanted}"

    return rule


def no(*fields: str) -> tuple[Callable[[Config], str], ...]:
    """Rules: none of the fields is set."""
    return tuple(_unset(field) for field in fields)


def _unset(field: str) -> Callable[[Config], str]:
    return lambda described: f"{field}={described[field]}" if described.get(field) else ""


def capped(described: Config) -> str:
    """A rule: both caps of scores are there; llama.cpp has values of its own for those that are not."""
    missing = [name for name in CAPS if described.get(name, 1) is None]
    return f"no {' and no '.join(missing)}" if missing else ""


CAPS = ("attn_logit_softcapping", "final_logit_softcapping")


def gemma_layers(period: int) -> Callable[[Config], str]:
    """A rule: every ``period``-th layer has no window; scores are divided by the root of a head's size."""

    def rule(described: Config) -> str:
        layers = described.get("num_hidden_layers", 0)
        wanted = ["full" if (layer + 1) % period == 0 else "sliding" for layer in range(layers)]
        kinds = described.get("layer_types")
        if kinds is not None and [str(kind).partition("_")[0] for kind in kinds] != wanted:
            return f"layer_types other than a layer of {period} without a window"
        if described.get("sliding_window_pattern", period) != period and kinds is None:
            return f"sliding_window_pattern={described['sliding_window_pattern']}; llama.cpp has {period}"
        return must_be("query_pre_attn_scalar", described.get("head_dim", 256), 256)(described)

    return rule


def smollm3_layers(described: Config) -> str:
    """A rule: every fourth layer does not rotate."""
    layers = described.get("num_hidden_layers", 36)
    given = described.get("no_rope_layers")
    fits = not given or given == [int((layer + 1) % 4 != 0) for layer in range(layers)]
    return "" if fits else "no_rope_layers other than every fourth layer"


LLAMA = Architecture("llama", ("default", *FACTORED_ROPES), pairs=True)
BIAS, DENSE = "attention_bias", "mlp_only_layers"
ALL_SPARSE = must_be("decoder_sparse_step", 1, default=1)
#: architecture of transformers -> of llama.cpp
ARCHITECTURES = {
    "LlamaForCausalLM": LLAMA,
    "MistralForCausalLM": LLAMA,
    "MixtralForCausalLM": Architecture("llama", pairs=True, add=mixture),
    "Qwen2ForCausalLM": Architecture("qwen2"),
    "Qwen3ForCausalLM": Architecture("qwen3", rules=no(BIAS)),
    "Qwen3MoeForCausalLM": Architecture(
        "qwen3moe",
        add=mixture,
        rules=(ALL_SPARSE, *no(DENSE, BIAS), must_be("norm_topk_prob", wanted=True, default=False)),
    ),
    "GemmaForCausalLM": Architecture("gemma", shift=1.0, acts=GELU, rules=no(BIAS)),
    "Gemma2ForCausalLM": Architecture(
        "gemma2", shift=1.0, windows=True, add=gemma2, acts=GELU, rules=(gemma_layers(2), capped, *no(BIAS))
    ),
    "Gemma3ForCausalLM": Architecture(
        "gemma3", shift=1.0, windows=True, add=gemma3, acts=GELU, rules=(gemma_layers(6), *no(BIAS, *CAPS))
    ),
    "PhiForCausalLM": Architecture("phi2", acts=GELU, rules=no("qk_layernorm")),
    "Phi3ForCausalLM": Architecture("phi3"),
    "OlmoForCausalLM": Architecture("olmo", pairs=True, rules=no(BIAS, "clip_qkv")),
    "Olmo2ForCausalLM": Architecture("olmo2", rules=no(BIAS)),
    "SmolLM3ForCausalLM": Architecture("smollm3", pairs=True, rules=(smollm3_layers, *no(BIAS))),
    "GraniteForCausalLM": Architecture("granite", pairs=True, add=granite),
    "Starcoder2ForCausalLM": Architecture(
        "starcoder2", acts=GELU, rules=(must_be("use_bias", wanted=True, default=True),)
    ),
    "StableLmForCausalLM": Architecture("stablelm", add=parallel, rules=no("qk_layernorm")),
    "CohereForCausalLM": Architecture("command-r", add=logit_scale, rules=no(BIAS, "use_qk_norm")),
    "GPTNeoXForCausalLM": Architecture(
        "gptneox", acts=GELU, add=parallel, rules=(must_be(BIAS, wanted=True, default=True),)
    ),
    "GPT2LMHeadModel": Architecture(
        "gpt2",
        acts=GELU,
        rules=(
            must_be("scale_attn_weights", wanted=True, default=True),
            *no("scale_attn_by_inverse_layer_idx"),
        ),
    ),
}
