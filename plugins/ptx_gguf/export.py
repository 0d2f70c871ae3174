"""Write the GGUF file. Names, orders and formats come from llama.cpp's ``gguf`` package.

The few rules that are missing there are implemented here:

- llama's query and key rows are interleaved per head, because llama.cpp rotates neighbouring pairs and
  transformers rotates halves
- vectors (norms, biases) stay float32; a matrix whose rows are no whole number of blocks stays float16, and
  the user is told its name
- an output layer that is tied to the embedding is not written twice
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType
from numpy.typing import NDArray

from ptx import ModelRef, Run, StepError
from ptx.lm.load import weights_of
from ptx.lm.serving.dense import open_original
from ptx.lm.serving.fidelity import check, compare, compare_drawn, logits_of, openings, own_text
from ptx.models.inspection import inspect
from ptx.models.package import write_package
from ptx_gguf import Gguf
from ptx_gguf.checks import ARCHITECTURES
from ptx_gguf.model import FILE, GgufLanguageModel
from ptx_gguf.vocabulary import add_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SERVE = "llama-server -m {folder}/model.gguf"
#: names in LlamaFileType; "mostly", because vectors keep their type
FILE_TYPES = {"f32": "ALL_F32"}


class ReadBack:
    """The file as an independent reader understands it, with the one method that a comparison needs."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        try:
            self.network = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=FILE, dtype="float32", local_files_only=True, trust_remote_code=False
            ).eval()
        except (ValueError, NotImplementedError, KeyError, RuntimeError, OSError) as error:
            raise StepError(
                f"transformers cannot read the file back: {type(error).__name__}: {error}"
            ) from error

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Return the scores of the next token after each token, row by row."""
        ask = logits_of(self.network)
        return (ask(row) for row in rows)


def export(run: Run, config: Gguf, model: ModelRef) -> ModelRef:
    """Write ``model`` as GGUF below ``run.folder``, read it back and compare.

    Raises:
        StepError: the file cannot be read back, or does not equal the model (with the figures).
    """
    network, tokenizer = open_original(run, model)
    folder = run.folder / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pre, kept = write(network, tokenizer_folder(run, model, tokenizer), folder / FILE, config.type)
    if kept:
        run.say(
            f"{len(kept)} matrices stay f16, since {config.type} has blocks of {block_of(config.type)}:"
            f" {', '.join(kept[:3])}"
        )
    if pre == "default":
        run.say(
            "no pre-tokenizer of llama.cpp is certain to be this model's: token boundaries are not assured"
        )
    tokenizer.save_pretrained(folder)
    rows = own_text(network, tokenizer, run.seed)
    read = compare(logits_of(network), ReadBack(folder), rows)  # type: ignore[arg-type]
    most = config.max_perplexity_ratio if config.type.startswith("q") else 1.001
    instead = "runtime.type=q8_0 or a larger runtime.max_perplexity_ratio"
    check(read, f"the {config.type} file, read back,", most, instead)
    facts = {
        "precision": config.type,
        "parameters": inspect(weights_of(model.path)).parameters,
        "serve": SERVE,
        "made_with": {name: version(name) for name in ("gguf", "xllamacpp")},
        "pre_tokenizer": pre,
        "kept_f16": kept,
        **limits(network),
    }
    write_package(folder, "gguf", model.digest, facts)
    served = GgufLanguageModel(folder, config.context)
    try:
        found = compare_drawn(logits_of(network), served, rows, openings(tokenizer))
    finally:
        served.close()
    run.say(f"on llama.cpp: {found.figures}")
    check(found, f"the {config.type} file on llama.cpp", most, instead)
    write_package(folder, "gguf", model.digest, facts | {"fidelity": [vars(found.kl), vars(found.flips)]})
    package = ModelRef.of(folder, "package")
    run.event("export", pre_tokenizer=pre, kept_f16=len(kept), read_back_kl=read.kl.value)
    run.log({**found.numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package


def limits(network: PreTrainedModel) -> dict[str, Any]:
    """Return the limits that a server of the package must know."""
    config = network.config.get_text_config()
    return {
        "context_length": config.max_position_embeddings,
        "vocab_size": config.vocab_size,
        "eos_token_id": network.generation_config.eos_token_id,
    }


def tokenizer_folder(run: Run, model: ModelRef, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Return a folder with the tokenizer's files, which ``gguf`` reads.

    An adapter's tokenizer is with its base or beside it, so it is saved to a folder first.
    """
    if (model.path / "tokenizer.json").is_file():
        return model.path
    folder = run.checkpoints / "tokenizer"
    tokenizer.save_pretrained(folder)
    return folder


def write(network: PreTrainedModel, vocabulary: Path, file: Path, kind: str) -> tuple[str, list[str]]:
    """Write the file; return the pre-tokenizer's name and the matrices that cannot have format ``kind``."""
    config = network.config.get_text_config()
    arch = ARCHITECTURES[next(name for name in network.config.architectures if name in ARCHITECTURES)]
    writer = GGUFWriter(None, arch)
    add_shape(writer, config)
    writer.add_file_type(LlamaFileType[FILE_TYPES.get(kind, f"MOSTLY_{kind.upper()}")])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    pre = add_vocabulary(writer, vocabulary, config.vocab_size)
    kept = []
    for name, tensor in tensors_of(network, arch, config):
        wanted = type_of(name, tensor.shape, kind)
        if tensor.ndim == 2 and wanted is GGMLQuantizationType.F16 and kind != "f16":
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
    writer.add_context_length(config.max_position_embeddings)
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


def tensors_of(network: PreTrainedModel, arch: str, config: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield every weight with llama.cpp's name, in its order of rows."""
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
        if arch == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            value = interleaved(value, heads)
        yield found, value


def interleaved(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the rows of each head (O / heads) from (first half, second half) to neighbouring pairs."""
    outputs, inputs = weight.shape
    paired = weight.reshape(heads, 2, outputs // heads // 2, inputs).swapaxes(1, 2)
    return np.ascontiguousarray(paired.reshape(outputs, inputs))


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
