"""Load models and tokenizers from folders, save them to folders, and keep the libraries quiet.

Only safetensors are read, and no code in a model folder is ever run (``trust_remote_code=False``). Importing
this module loads no ML library; its functions do. :func:`quiet` must run before the first such import,
because the libraries read their settings when they are imported. Every loading function here calls it.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.files import files_of, write_json
from ptx.lm.merge import merged
from ptx.lm.quanto import is_packed, open_packed
from ptx.lm.weights import different, open_weights, refuse_faults, refuse_values
from ptx.models.adapters import BASE_FILE, WEIGHTS, base_of, is_adapter, weights_of
from ptx.models.inspection import tensors_of
from ptx.models.language import language_problems
from ptx.records import ModelRef

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "BASE_FILE",
    "ENVIRONMENT",
    "base_of",
    "dtype_of",
    "environment",
    "is_adapter",
    "load_model",
    "load_tokenizer",
    "quiet",
    "render",
    "save_adapter",
    "save_model",
    "stored_bytes",
    "weights_of",
]

#: settings that the libraries read when they are imported; a value that the user has set is kept
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime 1.31 has a client of Microsoft's, and its session in /tmp
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TQDM_DISABLE": "1",
    "LLM_COMPRESSOR_LOG_LEVEL": "CRITICAL",  # otherwise its import logs that there is no GPU
}


def environment() -> dict[str, str]:
    """Environment variables for a process without telemetry and progress bars: a child, or this one."""
    return {name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()}


def quiet() -> None:
    """Switch off telemetry, progress bars, needless warnings and needless imports.

    Call it before the first import of an ML library.
    """
    os.environ.update(environment())
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"(transformers|trl|peft|accelerate|datasets|torch)\b"
    )
    from transformers import dynamic_module_utils, utils
    from transformers.utils import chat_template_utils, logging

    # a model folder's template is a stranger's: it ends, whatever it says; and nobody is asked whether a
    # stranger's code may run
    from ptx.guard.templates import BoundedSandbox  # with jinja2, which `ptx --help` can do without

    chat_template_utils.ImmutableSandboxedEnvironment = BoundedSandbox
    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0

    # transformers imports scikit-learn, scipy.stats and pandas for assisted generation only; that is a
    # quarter of the time until a model is loaded
    utils.is_sklearn_available = lambda: False

    # these matter only if the library was imported before
    if os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
        sys.modules["huggingface_hub.constants"].HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]
    logging.disable_progress_bar()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


def load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; without a padding token of its own it pads with the end-of-text token.

    Raises:
        StepError: there is no tokenizer, or it has neither token.
    """
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
    """The torch dtype of that name.

    ``auto`` is bfloat16 on a GPU, and float32 on a CPU: exact, and not slower for small models.
    """
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
    """A causal language model on ``device``, in evaluation mode; an adapter is loaded on its base, unmerged.

    ``options`` go to ``from_pretrained`` (``quantization_config=...``). A folder that optimum-quanto packed
    keeps its dtype.

    Raises:
        StepError: the weights are missing, or are not safetensors; or it is not causal.
    """
    quiet()
    from transformers import AutoModelForCausalLM

    from ptx.lm.causality import refuse_foresight

    folder = model.path if isinstance(model, ModelRef) else model
    if wrong := language_problems(folder):
        raise StepError(str(wrong[0]))
    if is_adapter(folder):
        return _load_adapter(folder, dtype, device, **options)
    if is_packed(folder):
        return open_packed(folder, device)
    try:
        loaded = open_weights(AutoModelForCausalLM, folder, dtype=dtype_of(dtype, device), **options)
    except (OSError, ValueError) as error:
        raise StepError(
            f"no model could be read from {folder}: {_first_line(error)}; it needs config.json and"
            " *.safetensors"
        ) from error
    placed = loaded if "quantization_config" in options else loaded.to(device)
    refuse_foresight(placed, str(folder))
    return placed


def stored_bytes(folder: Path) -> int:
    """The size in bytes of all files in the folder of the full weights."""
    return sum(file.stat().st_size for file in files_of(weights_of(folder)))


def _load_adapter(folder: Path, dtype: str, device: str, **options: Any) -> PreTrainedModel:
    from peft import PeftModel
    from peft.utils import get_peft_model_state_dict

    # an adapter on an adapter was trained on the merged weights
    base = merged(load_model(base_of(folder), dtype, device, **options))
    try:
        loaded: PreTrainedModel = PeftModel.from_pretrained(
            base, str(folder), is_trainable=False, use_safetensors=True
        )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise StepError(
            f"the adapter in {folder} does not fit its base {base_of(folder)}: {_first_line(error)}"
        ) from error
    stored = {name for name, _, _ in tensors_of(folder / WEIGHTS)}
    wanted = dict(get_peft_model_state_dict(loaded))
    refuse_faults(f"the adapter in {folder}", different(wanted.keys(), stored))
    refuse_values(f"the adapter in {folder}", wanted.items())
    return loaded


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a complete model folder: safetensors, config, generation config, tokenizer, chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def save_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path, base: ModelRef) -> None:
    """Write an adapter folder: the adapter, the tokenizer, and the path and digest of the base model."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    write_json(folder / BASE_FILE, {"path": str(base.path.resolve()), "digest": base.digest})


def render(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, add_generation_prompt: bool
) -> str:
    """A conversation as text, rendered by the tokenizer's chat template."""
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    assert isinstance(text, str)  # tokenize=False gives text
    return text


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
