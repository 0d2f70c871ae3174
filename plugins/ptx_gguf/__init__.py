"""``runtime=gguf``: the model as one GGUF file, for llama.cpp and its relatives, written with their own ``gguf`` package.

ptx writes the file, reads it back with another reader (transformers' GGUF loader) and compares it with the model. Nothing here serves
it: no time, no memory, no quality on a llama.cpp is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, ModelRef, Problem, Run, RunConfig, Runtime, hookimpl, must_be_one_of, setting

#: what the gguf package can write; its k-quants can only be read
TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")


@dataclass
class Gguf(Runtime):
    """One GGUF file with tokenizer and chat template; exported and compared, not served."""

    exports: ClassVar[bool] = True
    serves: ClassVar[bool] = False
    type: str = setting("q8_0", f"of the weight matrices: {', '.join(TYPES)}; vectors stay f32")
    max_perplexity_ratio: float = setting(
        1.25, "the step fails if the file's perplexity on the model's own text is more than so many times the model's"
    )

    def __post_init__(self) -> None:
        must_be_one_of("runtime.type", self.type, TYPES, "q8_0")
        if self.max_perplexity_ratio <= 1:
            raise ValueError(
                f"runtime.max_perplexity_ratio must be more than 1, got {self.max_perplexity_ratio}; try runtime.max_perplexity_ratio=1.25"
            )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=gguf``."""
    return [Choice("runtime", "gguf", Gguf, "a GGUF file for llama.cpp (exported, not served)", ("gguf", "transformers", "torch"))]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """What cannot be written."""
    if not isinstance(config.runtime, Gguf):
        return []
    from ptx_gguf.checks import problems

    return problems(model)


@hookimpl
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Write the file, read it back, and compare."""
    if not isinstance(runtime, Gguf):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_gguf.export import export

    return export(run, runtime, model)
