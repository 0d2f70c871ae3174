"""The sizes of a model under whatever names its config.json has for them.

transformers gives every architecture's own names as ``attribute_map`` (GPT-2 says ``n_positions``). That
needs the library; this table is the same for language models, and a test compares the two.
"""

from __future__ import annotations

from typing import Any

NAMES = {
    "max_position_embeddings": ("n_positions", "max_seq_len", "context_length", "n_ctx"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "layers"),
    "hidden_size": ("n_embd", "d_model", "emb_dim", "dim"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads", "attention_heads"),
    "vocab_size": (),
}


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the language model; multimodal models nest it."""
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) else config


def size(config: dict[str, Any], name: str) -> int | None:
    """The size that transformers calls ``name``, of the language model; None where config.json has none."""
    described = text_config(config)
    # Kimi calls its context model_max_length; in other configs that word is a leftover of the tokenizer
    own = ("model_max_length",) if described.get("model_type") == "kimi_linear" else ()
    for key in (name, *NAMES[name], *own):
        value = described.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def context(config: dict[str, Any]) -> int | None:
    """The number of tokens that a model can read; None where nothing bounds it (Mamba) or says so."""
    return size(config, "max_position_embeddings")


def context_of(config: object) -> int | None:
    """The same of a configuration that transformers has read; its class for MPT does not map the name."""
    for name in ("max_position_embeddings", *NAMES["max_position_embeddings"]):
        value = getattr(config, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
