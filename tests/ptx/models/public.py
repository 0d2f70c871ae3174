"""Folders with the small files of public models, as their authors published them, and headers of weights.

Values were taken from the models' pages; vocabularies hold the special tokens only, and files of weights are
as long as they should be without taking room (holes).
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] +"
    " '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA_2 = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' +"
    " message['content'].strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' +"
    " message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] +"
    " '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + (message['role'] if"
    " message['role'] == 'user' else 'model') + '\\n' + message['content'] | trim +"
    " '<end_of_turn>\\n' }}{% endfor %}"
)
PHI_3 = (
    "{% for message in messages %}{{'<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token +"
    " '\\n' }}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] +"
    " '[/INST]' }}{% else %}{{ ' ' + m['content'] + eos_token}}{% endif %}{% endfor %}"
)
GLM = "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] }}{% endfor %}"

LLAMA = (
    "input_layernorm.weight",
    "mlp.down_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "post_attention_layernorm.weight",
    "self_attn.k_proj.weight",
    "self_attn.o_proj.weight",
    "self_attn.q_proj.weight",
    "self_attn.v_proj.weight",
)


def of(
    kind: str, name: str, layers: int, vocab: int, context: int | None, eos: Any, **more: Any
) -> dict[str, Any]:
    """A config.json of the usual names."""
    positions = {} if context is None else {"max_position_embeddings": context}
    return {
        "model_type": kind,
        "architectures": [name],
        "num_hidden_layers": layers,
        "vocab_size": vocab,
        "hidden_size": 64,
        "eos_token_id": eos,
        "torch_dtype": "bfloat16",
        **positions,
        **more,
    }


#: name -> config, generation config, tokenizer config, special tokens with their ids, template
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, int], str]] = {
    "SmolLM2-135M-Instruct": (
        of("llama", "LlamaForCausalLM", 30, 49152, 8192, 2, tie_word_embeddings=True, pad_token_id=2),
        {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2},
        {
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "unk_token": "<|endoftext|>",
            "model_max_length": 8192,
        },
        {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2, "<repo_name>": 3},
        CHATML,
    ),
    "Qwen2.5-0.5B-Instruct": (
        of(
            "qwen2",
            "Qwen2ForCausalLM",
            24,
            151936,
            32768,
            151645,
            tie_word_embeddings=True,
            sliding_window=32768,
            use_sliding_window=False,
            max_window_layers=21,
        ),
        {
            "bos_token_id": 151643,
            "pad_token_id": 151643,
            "do_sample": True,
            "eos_token_id": [151645, 151643],
            "repetition_penalty": 1.1,
            "temperature": 0.7,
            "top_p": 0.8,
            "top_k": 20,
        },
        {
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "model_max_length": 131072,
        },
        {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<|vision_pad|>": 151654},
        CHATML,
    ),
    "Llama-2-7b-chat-hf": (
        of(
            "llama",
            "LlamaForCausalLM",
            32,
            32000,
            4096,
            2,
            tie_word_embeddings=False,
            torch_dtype="float16",
            rope_scaling=None,
        ),
        {
            "bos_token_id": 1,
            "do_sample": True,
            "eos_token_id": 2,
            "pad_token_id": 0,
            "temperature": 0.6,
            "max_length": 4096,
            "top_p": 0.9,
        },
        {
            "bos_token": {"content": "<s>", "__type": "AddedToken"},
            "eos_token": {"content": "</s>"},
            "unk_token": {"content": "<unk>"},
            "model_max_length": 1000000000000000019884624838656,
            "pad_token": None,
        },
        {"<unk>": 0, "<s>": 1, "</s>": 2},
        LLAMA_2,
    ),
    "Llama-3.1-8B-Instruct": (
        of(
            "llama",
            "LlamaForCausalLM",
            32,
            128256,
            131072,
            [128001, 128008, 128009],
            tie_word_embeddings=False,
            rope_scaling={
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "rope_type": "llama3",
                "original_max_position_embeddings": 8192,
            },
        ),
        {
            "bos_token_id": 128000,
            "do_sample": True,
            "eos_token_id": [128001, 128008, 128009],
            "temperature": 0.6,
            "top_p": 0.9,
        },
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "model_max_length": 131072},
        {
            "<|begin_of_text|>": 128000,
            "<|end_of_text|>": 128001,
            "<|start_header_id|>": 128006,
            "<|end_header_id|>": 128007,
            "<|eom_id|>": 128008,
            "<|eot_id|>": 128009,
        },
        LLAMA_3,
    ),
    "gemma-2-2b-it": (
        of("gemma2", "Gemma2ForCausalLM", 26, 256000, 8192, [1, 107], sliding_window=4096, pad_token_id=0),
        {"_from_model_config": True, "bos_token_id": 2, "eos_token_id": [1, 107], "pad_token_id": 0},
        {
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "model_max_length": 1000000000000000019884624838656,
        },
        {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<start_of_turn>": 106, "<end_of_turn>": 107},
        GEMMA,
    ),
    "gemma-3-1b-it": (
        of("gemma3_text", "Gemma3ForCausalLM", 26, 262144, 32768, [1, 106], sliding_window=512),
        {
            "cache_implementation": "hybrid",
            "do_sample": True,
            "eos_token_id": [1, 106],
            "top_k": 64,
            "top_p": 0.95,
        },
        {
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "image_token": "<image_soft_token>",
            "model_max_length": 1000000000000000019884624838656,
        },
        {
            "<pad>": 0,
            "<eos>": 1,
            "<bos>": 2,
            "<unk>": 3,
            "<start_of_turn>": 105,
            "<end_of_turn>": 106,
            "<image_soft_token>": 262144,
        },
        GEMMA,
    ),
    "Mistral-7B-Instruct-v0.3": (
        of(
            "mistral",
            "MistralForCausalLM",
            32,
            32768,
            32768,
            2,
            sliding_window=None,
            tie_word_embeddings=False,
        ),
        {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2},
        {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": None,
            "model_max_length": 1000000000000000019884624838656,
        },
        {"<unk>": 0, "<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4},
        MISTRAL,
    ),
    "Phi-3-mini-4k-instruct": (
        of(
            "phi3",
            "Phi3ForCausalLM",
            32,
            32064,
            4096,
            32000,
            original_max_position_embeddings=4096,
            sliding_window=2047,
            rope_scaling=None,
            tie_word_embeddings=False,
        ),
        {"bos_token_id": 1, "eos_token_id": [32000, 32001, 32007], "pad_token_id": 32000},
        {
            "bos_token": "<s>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<unk>",
            "model_max_length": 4096,
        },
        {
            "<unk>": 0,
            "<s>": 1,
            "</s>": 2,
            "<|endoftext|>": 32000,
            "<|assistant|>": 32001,
            "<|end|>": 32007,
            "<|user|>": 32010,
        },
        PHI_3,
    ),
    "zephyr-7b-beta": (
        of(
            "mistral",
            "MistralForCausalLM",
            32,
            32000,
            32768,
            2,
            sliding_window=4096,
            tie_word_embeddings=False,
        ),
        {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2},
        {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "</s>",
            "unk_token": "<unk>",
            "model_max_length": 1000000000000000019884624838656,
        },
        {"<unk>": 0, "<s>": 1, "</s>": 2},
        ZEPHYR,
    ),
    "glm-4-9b-chat-hf": (
        of("glm", "GlmForCausalLM", 40, 151552, 131072, [151329, 151336, 151338], tie_word_embeddings=False),
        {"do_sample": True, "eos_token_id": [151329, 151336, 151338], "temperature": 0.8, "top_p": 0.8},
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "model_max_length": 128000},
        {"<|endoftext|>": 151329, "<|user|>": 151336, "<|assistant|>": 151337, "<|observation|>": 151338},
        GLM,
    ),
    "pythia-160m": (
        of(
            "gpt_neox",
            "GPTNeoXForCausalLM",
            12,
            50304,
            2048,
            0,
            torch_dtype="float16",
            tie_word_embeddings=False,
        ),
        {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": 0},
        {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
        {"<|endoftext|>": 0, "<|padding|>": 1},
        "",
    ),
    "gpt2": (
        {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "n_layer": 12,
            "n_embd": 64,
            "n_positions": 1024,
            "n_ctx": 1024,
            "vocab_size": 50257,
            "eos_token_id": 50256,
            "bos_token_id": 50256,
        },
        {"bos_token_id": 50256, "eos_token_id": 50256},
        {"model_max_length": 1024, "eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"},
        {"<|endoftext|>": 50256},
        "",
    ),
}


def write(folder: Path, name: str) -> Path:
    """Write the folder of a model."""
    config, generation, tokenizer, tokens, template = MODELS[name]
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    listed = [{"id": place, "content": text, "special": True, **plain} for text, place in tokens.items()]
    decoder = {str(place): {"content": text, "special": True} for text, place in tokens.items()}
    held = tokenizer | {"added_tokens_decoder": decoder} | ({"chat_template": template} if template else {})
    vocabulary = {"a": 5000, **{text: place for text, place in tokens.items() if place < 4}}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    for file, value in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", held),
        ("tokenizer.json", {"added_tokens": listed, "model": model}),
    ):
        (folder / file).write_text(json.dumps(value))
    weights(folder / "model.safetensors", tensors_of(config))
    return folder


def tensors_of(config: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Name -> type and shape of the tensors of a config."""
    kind = {"float16": "F16", "bfloat16": "BF16"}.get(config.get("torch_dtype", ""), "F32")
    size, vocab = config.get("hidden_size", 64), config["vocab_size"]
    if config["model_type"] == "gpt2":
        found = {"wte.weight": [vocab, size], "wpe.weight": [1024, size]}
        found |= {
            f"h.{n}.{part}": [1] for n in range(12) for part in ("attn.c_attn.weight", "mlp.c_fc.weight")
        }
        return {name: (kind, shape) for name, shape in found.items()}
    if config["model_type"] == "gpt_neox":
        found = {"gpt_neox.embed_in.weight": [vocab, size], "embed_out.weight": [vocab, size]}
        found |= {
            f"gpt_neox.layers.{n}.mlp.dense_h_to_4h.weight": [1] for n in range(config["num_hidden_layers"])
        }
        return {name: (kind, shape) for name, shape in found.items()}
    found = {"model.embed_tokens.weight": [vocab, size], "model.norm.weight": [size]}
    found |= {f"model.layers.{n}.{part}": [1] for n in range(config["num_hidden_layers"]) for part in LLAMA}
    if config.get("tie_word_embeddings") is False:
        found["lm_head.weight"] = [vocab, size]
    return {name: (kind, shape) for name, shape in found.items()}


def weights(file: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """Write a safetensors file of zeros that takes no room."""
    header, place = {}, 0
    for name, (kind, shape) in tensors.items():
        length = math.prod(shape) * {"F32": 4, "I64": 8}.get(kind, 2)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + length]}
        place += length
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
    os.truncate(file, 8 + len(text) + place)
