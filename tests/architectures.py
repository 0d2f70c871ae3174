"""Tiny random models of many architectures, with the tokenizer of the embedded model.

Weights are large enough that outputs differ, norms and biases are not at their initial values (an error in a
norm's weight would be invisible at 1), and every width is small.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import ptx_tiny
from ptx.lm.load import quiet

TOKENIZER = Path(ptx_tiny.__file__).parent / "model"
ENDS = {"vocab_size": 768, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
PLAIN = ENDS | {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
HEADS = PLAIN | {"head_dim": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "rope_theta": 10000.0}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
    "rope_theta": 10000.0,
}
WINDOW = {"sliding_window": 32}
MIXTURE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "decoder_sparse_step": 1}

#: name -> (model type, its configuration)
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", HEADS | {"tie_word_embeddings": False}),
    "llama_yarn": ("llama", HEADS | {"rope_parameters": YARN}),
    "llama_llama3": ("llama", HEADS | {"rope_parameters": LLAMA3}),
    "llama_bias": ("llama", HEADS | {"attention_bias": True, "mlp_bias": True}),
    "llama_odd": (
        "llama",
        HEADS
        | {
            "intermediate_size": 176,
            "hidden_size": 80,
            "num_attention_heads": 5,
            "num_key_value_heads": 1,
        },
    ),
    "qwen2": ("qwen2", PLAIN | {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", HEADS | {"tie_word_embeddings": True}),
    "qwen3_head32": ("qwen3", PLAIN | {"head_dim": 32}),
    "gemma": ("gemma", HEADS),
    "gemma2": ("gemma2", HEADS | WINDOW | {"query_pre_attn_scalar": 16}),
    "gemma3": ("gemma3_text", HEADS | WINDOW | {"query_pre_attn_scalar": 16, "sliding_window_pattern": 3}),
    "gemma3_6": (  # every sixth layer without a window, as all of Google's
        "gemma3_text",
        HEADS | WINDOW | {"query_pre_attn_scalar": 16, "sliding_window_pattern": 6, "num_hidden_layers": 7},
    ),
    "phi": ("phi", PLAIN),
    "phi3": ("phi3", PLAIN | {"partial_rotary_factor": 0.5, "original_max_position_embeddings": 512}),
    "olmo": ("olmo", PLAIN),
    "olmo2": ("olmo2", PLAIN),
    "smollm3": (
        "smollm3",
        PLAIN | {"no_rope_layers": [1, 0, 1], "tie_word_embeddings": True, "use_sliding_window": False},
    ),
    "smollm3_4": (  # every fourth layer does not rotate, as in SmolLM3 itself
        "smollm3",
        PLAIN | {"no_rope_layers": [1, 1, 1, 0], "num_hidden_layers": 4, "tie_word_embeddings": True},
    ),
    "mistral_window": ("mistral", HEADS | WINDOW),
    "granite": (
        "granite",
        PLAIN
        | {
            "embedding_multiplier": 12.0,
            "logits_scaling": 8.0,
            "residual_multiplier": 0.22,
            "attention_multiplier": 0.0625,
        },
    ),
    "starcoder2": ("starcoder2", PLAIN | {"sliding_window": None}),
    "cohere": ("cohere", PLAIN | {"logit_scale": 0.0625}),
    "stablelm": ("stablelm", PLAIN),
    "gpt_neox": (
        "gpt_neox",
        {name: value for name, value in PLAIN.items() if name != "num_key_value_heads"}
        | {"rotary_pct": 0.25},
    ),
    "gpt2": ("gpt2", ENDS | {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 512}),
    "opt": (
        "opt",
        ENDS
        | {
            "hidden_size": 64,
            "ffn_dim": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            "word_embed_proj_dim": 64,
        },
    ),
    "mamba": ("mamba", ENDS | {"hidden_size": 64, "state_size": 8, "num_hidden_layers": 3}),
    "mixtral": ("mixtral", HEADS | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "olmo3": (
        "olmo3",
        PLAIN | WINDOW | {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"]},
    ),
    "gpt_oss": (
        "gpt_oss",
        HEADS
        | WINDOW
        | {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
    ),
    "qwen2_moe": ("qwen2_moe", PLAIN | MIXTURE | {"shared_expert_intermediate_size": 64}),
    "qwen3_moe": ("qwen3_moe", HEADS | MIXTURE | {"norm_topk_prob": True}),
    "minimax": (
        "minimax",
        HEADS
        | {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "block_size": 32,
        },
    ),
    "rwkv": (
        "rwkv",
        ENDS
        | {
            "hidden_size": 64,
            "attention_hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 3,
            "context_length": 512,
        },
    ),
    "granitemoe": ("granitemoe", PLAIN | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "nemotron_h": (
        "nemotron_h",
        PLAIN
        | {
            "layers_block_type": ["mamba", "attention", "mlp"],
            "mamba_num_heads": 8,
            "mamba_head_dim": 16,
            "n_groups": 1,
            "ssm_state_size": 8,
            "chunk_size": 32,
        },
    ),
    "falcon": (
        "falcon",
        ENDS
        | {
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "new_decoder_architecture": False,
            "multi_query": True,
            "alibi": False,
            "max_position_embeddings": 512,
        },
    ),
    "dbrx": (
        "dbrx",
        ENDS
        | {
            "d_model": 64,
            "n_heads": 4,
            "n_layers": 3,
            "max_seq_len": 512,
            "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8},
            "ffn_config": {"ffn_hidden_size": 128, "moe_num_experts": 4, "moe_top_k": 2},
        },
    ),
    "mpt": (
        "mpt",
        ENDS | {"d_model": 64, "n_layers": 3, "n_heads": 4, "max_seq_len": 512, "expansion_ratio": 2},
    ),
}


def build(name: str, folder: Path) -> Path:
    """Write the model of that name to ``folder``; returns it."""
    quiet()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, settings = ARCHITECTURES[name]
    made = torch.Generator().manual_seed(0)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings), dtype=torch.float32)
    with torch.no_grad():
        for parameter, weight in network.named_parameters():
            if weight.dim() >= 2:
                weight.copy_(torch.randn(weight.shape, generator=made) * 0.08)
            elif parameter.endswith("bias"):
                weight.copy_(torch.randn(weight.shape, generator=made) * 0.05)
            elif "norm" in parameter or ".ln_" in parameter:
                weight.add_(torch.rand(weight.shape, generator=made) * 0.4 - 0.2)
    network.generation_config.eos_token_id = 2
    network.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(TOKENIZER / file, folder)
    return folder
