"""Write the GGUF file. Names, orders and formats come from llama.cpp's ``gguf`` package.

The few rules that are missing there are implemented here:

- llama's query and key rows are interleaved per head, because llama.cpp rotates neighbouring pairs and
  transformers rotates halves
- vectors (norms, biases) stay float32; a matrix whose rows are no whole number of blocks stays float16, and
  the user is told its name
- an output layer that is tied to the embedding is not written twice
- a rotary scaling is written as a factor for each frequency, a sliding window as the end of the context
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType

from ptx_gguf.architectures import ARCHITECTURES
from ptx_gguf.tensors import architecture_of, rotated, tensors_of
from ptx_gguf.vocabulary import add_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: fields of the epsilon in norms: of RMS norms, of others; OLMo has none and computes with 1e-5
EPSILONS = (("rms_norm_eps",), ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"))
OLMO_EPSILON = 1e-5
ALWAYS_FLOAT = ("ffn_gate_inp", "position_embd")
#: names in LlamaFileType; "mostly", because vectors keep their type
FILE_TYPES = {"f32": "ALL_F32"}


def context_of(config: Any) -> int:
    """Return the tokens up to which the file is the model: the context, or a window, which it cannot say."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    context = int(config.max_position_embeddings)
    if any(ARCHITECTURES[name].windows for name in config.architectures or () if name in ARCHITECTURES):
        return context
    return min(context, window) if window and "sliding_attention" in kinds else context


def write(
    network: PreTrainedModel, vocabulary: Path, file: Path, kind: str, plan: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """Write the file; return what splits its text and the matrices that cannot have their format.

    ``plan`` names a format for matrices by their name in the model; the others have ``kind``.
    """
    config = network.config.get_text_config()
    writer = GGUFWriter(None, architecture_of(network).name)
    add_shape(writer, network)
    writer.add_file_type(LlamaFileType[FILE_TYPES.get(kind, f"MOSTLY_{kind.upper()}")])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    pre = add_vocabulary(writer, vocabulary, config.vocab_size)
    kept = []
    for source, name, tensor in tensors_of(network):
        asked = (plan or {}).get(source, kind)
        wanted = type_of(name, tensor.shape, asked)
        if tensor.ndim >= 2 and wanted is GGMLQuantizationType.F16 and asked != "f16":
            kept.append(name)
        writer.add_tensor(name, gguf.quantize(tensor, wanted), raw_dtype=wanted)
    writer.write_header_to_file(file)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return pre, kept


def add_shape(writer: GGUFWriter, network: PreTrainedModel) -> None:
    """Write the model's sizes."""
    config = network.config.get_text_config()
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(context_of(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    inner = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    writer.add_feed_forward_length(inner or 4 * config.hidden_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", None) or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    if ropes := getattr(config, "rope_parameters", None):
        rotary = rotated(network)
        writer.add_rope_dimension_count(2 * len(rotary.inv_freq) if rotary else head)
        writer.add_rope_freq_base(float(ropes.get("full_attention", ropes)["rope_theta"]))
    rms, plain = (_first(config, names) for names in EPSILONS)
    if rms is not None:
        writer.add_layer_norm_rms_eps(rms)
    else:
        writer.add_layer_norm_eps(plain if plain is not None else OLMO_EPSILON)
    writer.add_vocab_size(config.vocab_size)
    architecture_of(network).add(writer, config)


def _first(config: Any, names: Sequence[str]) -> float | None:
    return next((float(getattr(config, name)) for name in names if hasattr(config, name)), None)


def type_of(name: str, shape: Sequence[int], kind: str) -> GGMLQuantizationType:
    """Return the format of a tensor.

    Vectors, routers and learned positions are f32; matrices are ``kind``, or f16 where their rows are no
    whole number of its blocks.
    """
    if len(shape) < 2 or name.endswith("_norm.weight") or any(part in name for part in ALWAYS_FLOAT):
        return GGMLQuantizationType.F32
    return GGMLQuantizationType[kind.upper()] if shape[-1] % block_of(kind) == 0 else GGMLQuantizationType.F16


def block_of(kind: str) -> int:
    """Return how many weights share a scale."""
    return int(GGML_QUANT_SIZES[GGMLQuantizationType[kind.upper()]][0])
