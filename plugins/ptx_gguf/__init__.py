"""``runtime=gguf``: the model as one GGUF file, served by llama.cpp on the CPU.

The file is written with llama.cpp's own ``gguf`` package. Its weights are read back into a copy of the
model, which shows what rounding costs, and llama.cpp (xllamacpp, its server as a library) serves it, which
shows that it is the model: both are compared. transformers' GGUF loader is not asked: it ignores rotary
factors, the size of Qwen3's heads and biases of the feed-forward part, so it blames files that are right.

Beside it lies the Modelfile with which Ollama serves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import (
    Choice,
    ModelRef,
    Problem,
    Run,
    RunConfig,
    Runtime,
    hookimpl,
    must_be_at_least,
    must_be_more_than,
    must_be_one_of,
    setting,
)

#: types that the gguf package can write; it can only read k-quants
TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
SCORING = ("at_once", "stepwise")


@dataclass
class Gguf(Runtime):
    """One GGUF file with tokenizer and chat template.

    The number of threads is ``threads=`` (``eval.latency.threads`` where latency is measured).
    """

    exports: ClassVar[bool] = True
    type: str = setting("q8_0", f"of the weight matrices: {', '.join(TYPES)}; vectors stay f32")
    max_perplexity_ratio: float = setting(
        1.25,
        "a file passes if its perplexity on the model's own text, divided by the model's, is at most this",
    )
    tries: int = setting(
        6,
        "files that are written at most, in the order of their bytes, until one passes (larger types where"
        " rounding costs the most); 1: as asked, or the step fails",
        identity=False,  # what passes is the same under any limit
    )
    context: int = setting(
        4096,
        "tokens per request for which memory is reserved, at most the model's context; longer prompts are cut"
        " at their beginning",
    )
    scoring: str = setting(
        "at_once",
        "how texts are scored: at_once (read as a prompt is), or stepwise (token by token, as a reply is"
        " written: several times slower; the log-probabilities differ by rounding)",
    )
    slots: int = setting(1, "requests that are decoded together", identity=False)

    def __post_init__(self) -> None:
        must_be_one_of("runtime.type", self.type, TYPES, "q8_0")
        must_be_more_than("runtime.max_perplexity_ratio", self.max_perplexity_ratio, 1, 1.25)
        must_be_at_least("runtime.context", self.context, 16, 4096)
        must_be_one_of("runtime.scoring", self.scoring, SCORING, "at_once")
        must_be_at_least("runtime.slots", self.slots, 1, 1)
        must_be_at_least("runtime.tries", self.tries, 1, 6)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=gguf``."""
    libraries = ("gguf", "xllamacpp", "transformers", "torch")
    return [Choice("runtime", "gguf", Gguf, "a GGUF file on llama.cpp, CPU", libraries, version="10")]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``runtime=gguf_q8_0``, ``gguf_q4_0``, ...: named types that a sweep can mix."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report what cannot be written."""
    if not isinstance(config.runtime, Gguf):
        return []
    from ptx_gguf.checks import problems

    return problems(config, model)


@hookimpl
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Write the file, read it back, and compare."""
    if not isinstance(runtime, Gguf):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_gguf.export import export

    return export(run, runtime, model)


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Open the file."""
    if not isinstance(runtime, Gguf):
        return None
    from ptx_gguf.model import GgufLanguageModel

    return GgufLanguageModel(model.path, runtime.context, runtime.slots, runtime.scoring)
