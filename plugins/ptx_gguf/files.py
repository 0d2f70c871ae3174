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

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType
from numpy.typing import NDArray

from ptx import StepError
from ptx_gguf.checks import ARCHITECTURES
from ptx_gguf.vocabulary import add_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: names in LlamaFileType; "mostly", because vectors keep their type
FILE_TYPES = {"f32": "ALL_F32"}


def context_of(config: Any) -> int:
    """Return the tokens up to which the file is the model: the context, or a window, which it cannot say."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    context = int(config.max_position_embeddings)
    return min(context, window) if window and "sliding_attention" in kinds else context


def write(
    network: PreTrainedModel, vocabulary: Path, file: Path, kind: str, plan: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """Write the file; return what splits its text and the matrices that cannot have their format.

    ``plan`` names a format for matrices by their name in the model; the others have ``kind``.
    """
    config = network.config.get_text_config()
    arch = ARCHITECTURES[next(name for name in network.config.architectures if name in ARCHITECTURES)]
    writer = GGUFWriter(None, arch)
    add_shape(writer, config)
    writer.add_file_type(LlamaFileType[FILE_TYPES.get(kind, f"MOSTLY_{kind.upper()}")])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    pre = add_vocabulary(writer, vocabulary, config.vocab_size)
    kept = []
    for source, name, tensor in tensors_of(network, arch, config):
        asked = (plan or {}).get(source, kind)
        wanted = type_of(name, tensor.shape, asked)
        if tensor.ndim == 2 and wanted is GGMLQuantizationType.F16 and asked != "f16":
            kept.append(name)
        writer.add_tensor(name, gguf.quantize(tensor, wanted), raw_dtype=wanted)
    writer.write_header_to_file(file)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return pre, kept


def add_shape(writer: GGUFWriter, config: Any) -> None:
    """Write the model's sizes."""
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(context_of(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", None) or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def tensors_of(
    network: PreTrainedModel, arch: str, config: Any
) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield every weight with its name in the model and llama.cpp's, in the latter's order of rows."""
    archs = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(archs[arch], config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, tensor in network.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise StepError(f"llama.cpp's {arch} has no place for {name} {tuple(tensor.shape)}")
        value = tensor.float().numpy()
        if arch == "llama" and name.rpartition(".")[0].endswith(("q_proj", "k_proj")):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            value = interleaved(value, heads)
        yield name, found, value
    factors = rope_factors(network)
    if arch == "llama" and not np.allclose(factors, 1):
        yield "", "rope_freqs.weight", factors


def rope_factors(network: PreTrainedModel) -> NDArray[np.float32]:
    """Return by how much each rotary frequency is divided: 1 without scaling."""
    rotary = next(module for module in network.modules() if hasattr(module, "inv_freq"))
    frequencies = rotary.inv_freq.double().numpy()
    theta = float(network.config.get_text_config().rope_parameters["rope_theta"])
    plain = theta ** -(np.arange(len(frequencies)) / len(frequencies))
    return np.asarray(plain / frequencies, dtype=np.float32)


def interleaved(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the rows of each head (O / heads) from (first half, second half) to neighbouring pairs.

    A bias has rows of one number.
    """
    paired = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2)
    return np.ascontiguousarray(paired.reshape(weight.shape))


def type_of(name: str, shape: Sequence[int], kind: str) -> GGMLQuantizationType:
    """Return the format of a tensor.

    Vectors are f32; matrices are ``kind``, or f16 where their rows are no whole number of its blocks.
    """
    if len(shape) < 2 or name.endswith("_norm.weight"):
        return GGMLQuantizationType.F32
    return GGMLQuantizationType[kind.upper()] if shape[-1] % block_of(kind) == 0 else GGMLQuantizationType.F16


def block_of(kind: str) -> int:
    """Return how many weights share a scale."""
    return int(GGML_QUANT_SIZES[GGMLQuantizationType[kind.upper()]][0])
