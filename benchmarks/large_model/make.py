"""Write a Llama with random weights and the embedded model's tokenizer.

python make.py FOLDER LAYERS HIDDEN FFN
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

import ptx_tiny


def main(folder: str, layers: str, hidden: str, ffn: str) -> None:
    """32 layers of 1536 and 5120 make 1.0 B parameters."""
    torch.manual_seed(0)
    heads = int(hidden) // 64
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=int(hidden),
        intermediate_size=int(ffn),
        num_hidden_layers=int(layers),
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 3),
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(Path(ptx_tiny.__file__).parent / "model").save_pretrained(folder)
    print(f"{folder}: {model.num_parameters() / 1e9:.2f} B parameters")


if __name__ == "__main__":
    main(*sys.argv[1:])
