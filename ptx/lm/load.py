"""Models and tokenizers: from a folder, into a folder, and without chatter.

Only safetensors are read, and no code that lies in a model folder is ever run (``trust_remote_code=False``).
Importing this module loads no ML library; the functions do. :func:`quiet` must run before the first such
import, because the libraries read their switches when they are imported; every loading function here calls
it.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.files import files_of, read_json, write_json
from ptx.lm.missing_weights import refuse_missing_weights
from ptx.lm.quanto import is_packed, open_packed
from ptx.records import ModelRef

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: file in an adapter folder that records which weights it belongs to
BASE_FILE = "ptx_base.json"

#: switches that the libraries read when they are imported; set only where the user has not set them
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TQDM_DISABLE": "1",
    "LLM_COMPRESSOR_LOG_LEVEL": "CRITICAL",  # else its import says that there is no GPU
}


def environment() -> dict[str, str]:
    """The environment for a quiet, untracked process: for a child that is started, or for ``os.environ``
    here.
    """
    return {name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()}


def quiet() -> None:
    """Switch off telemetry, progress bars, warnings about nothing and imports for nothing. Call it before the
    first import of an ML library.
    """
    os.environ.update(environment())
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"(transformers|trl|peft|accelerate|datasets|torch)\b"
    )
    from transformers import utils
    from transformers.utils import logging

    # generation imports scikit-learn, scipy.stats and pandas (a quarter of the time until a model is open)
    # for assisted generation alone
    utils.is_sklearn_available = lambda: False

    # these only matter where somebody has imported the library before
    if os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
        sys.modules["huggingface_hub.constants"].HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]
    logging.disable_progress_bar()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder. A tokenizer without a padding token pads with its end-of-text token."""
    quiet()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise StepError(
            f"no tokenizer could be read from {path}: {_first_line(error)}; a model folder needs"
            " tokenizer.json"
        ) from error
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise StepError(
                f"the tokenizer in {path} has neither a padding nor an end-of-text token; set pad_token in"
                " tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def dtype_of(name: str, device: str) -> torch.dtype:
    """``auto`` is float32 on a CPU (exact, and not slower for small models) and bfloat16 on a GPU."""
    import torch

    if name == "auto":
        name = "bfloat16" if device == "cuda" else "float32"
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise StepError(f"there is no dtype {name!r}; use auto, float32, bfloat16 or float16")
    return dtype


def load_model(
    model: ModelRef | Path, dtype: str = "auto", device: str = "cpu", **options: Any
) -> PreTrainedModel:
    """A causal language model on ``device``, ready for evaluation; an adapter folder comes back on its base
    (unmerged).

    ``options`` go to ``from_pretrained`` (``quantization_config=...``). A folder that optimum-quanto packed
    keeps its dtype. Raises StepError for weights that are not safetensors or not there.
    """
    quiet()
    from transformers import AutoModelForCausalLM

    folder = model.path if isinstance(model, ModelRef) else model
    if is_adapter(folder):
        return _load_adapter(folder, dtype, device, **options)
    if is_packed(folder):
        return open_packed(folder, device)
    refuse_missing_weights(folder)
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype_of(dtype, device),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
    except (OSError, ValueError) as error:
        raise StepError(
            f"no model could be read from {folder}: {_first_line(error)}; it needs config.json and"
            " *.safetensors"
        ) from error
    return loaded if "quantization_config" in options else loaded.to(device)


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and no weights of its own."""
    return (folder / "adapter_config.json").is_file()


def base_of(folder: Path) -> Path:
    """The folder of the weights that an adapter belongs to, if they still are the ones it was trained on."""
    recorded = folder / BASE_FILE
    config = read_json(recorded) if recorded.is_file() else {}
    base = Path(
        config.get("path") or read_json(folder / "adapter_config.json").get("base_model_name_or_path") or ""
    )
    if not (base / "config.json").is_file() and not is_adapter(base):
        raise StepError(
            f"the adapter in {folder} belongs to {base}, which is not there; restore that folder or train"
            " with lora.merge=true"
        )
    if config.get("digest") and ModelRef.of(base).digest != config["digest"]:
        raise StepError(
            f"the adapter in {folder} was trained on other weights than now lie in {base}; train it again"
        )
    return base


def weights_of(folder: Path) -> Path:
    """The folder that holds the weights: the base of an adapter (of an adapter), or the folder itself."""
    return weights_of(base_of(folder)) if is_adapter(folder) else folder


def stored_bytes(folder: Path) -> int:
    """Bytes of all files of the folder that holds the weights."""
    return sum(file.stat().st_size for file in files_of(weights_of(folder)))


def _load_adapter(folder: Path, dtype: str, device: str, **options: Any) -> PreTrainedModel:
    from peft import PeftModel

    under = base_of(folder)
    base = load_model(under, dtype, device, **options)
    if is_adapter(under):  # trained on what the lower adapter had made of its base
        base = base.merge_and_unload()
    loaded: PreTrainedModel = PeftModel.from_pretrained(
        base, str(folder), is_trainable=False, use_safetensors=True
    )
    return loaded


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a whole model folder: safetensors, config, generation config, tokenizer and chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def save_adapter(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path, base: ModelRef) -> None:
    """Write an adapter folder: the adapter, the tokenizer, and which weights it belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    write_json(folder / BASE_FILE, {"path": str(base.path.resolve()), "digest": base.digest})


def render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool
) -> str:
    """A conversation as the text that the model reads."""
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    assert isinstance(text, str)  # tokenize=False gives text
    return text


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
