"""What a configuration says about the computation, for runtimes that know only some of it. Imports no torch.

A converter that does not know a trait usually drops it and says nothing. So each runtime lists the traits
that it cannot serve as :class:`Refusal` data, and the plan says so before a weight is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.errors import Problem
from ptx.models.sizes import context as stated_context

#: what transformers takes for a sliding window that config.json does not state
DEFAULT_WINDOWS = {"mistral": 4096, "gemma2": 4096, "gemma3_text": 4096, "ministral": 4096}


@dataclass(frozen=True)
class Traits:
    """The traits of a model's computation that converters are known to lose."""

    architectures: tuple[str, ...]
    context: int | None  # tokens
    window: int | None  # tokens; None where no layer has one that is below the context
    rope: str  # kind of rotary scaling; several, joined by "+", where layers differ
    head_size: int | None
    rotary_size: int | None  # numbers of a head that are rotated
    every_layer_rotates: bool
    activation: str

    @classmethod
    def of(cls, described: dict[str, Any]) -> Traits:
        """The traits in config.json; a multimodal model's are those of its language model."""
        text = described.get("text_config") or described
        context = stated_context(described)
        size = _head_size(text)
        share = _partial(text)
        return cls(
            tuple(str(name) for name in described.get("architectures") or ()),
            context,
            _window(text, context),
            "+".join(
                sorted({str(one.get("rope_type", one.get("type", "default"))) for one in ropes_of(text)})
            ),
            size,
            int(size * share) if size else None,
            all(text.get("no_rope_layers") or [1]),
            str(
                text.get("hidden_activation")
                or text.get("hidden_act")
                or text.get("activation_function")
                or ""
            ),
        )


@dataclass(frozen=True)
class Refusal:
    """A trait that a runtime cannot serve: when, what is said and what works, with ``{traits.NAME}``."""

    when: Callable[[Traits], object]
    because: str
    instead: str = "use runtime=hf"


def refused(runtime: str, model: Path, traits: Traits, refusals: Sequence[Refusal]) -> list[Problem]:
    """One problem for each refusal that applies."""
    return [
        Problem(
            f"runtime={runtime} {one.because.format(traits=traits)} ({model})",
            one.instead.format(traits=traits),
        )
        for one in refusals
        if one.when(traits)
    ]


def ropes_of(text: dict[str, Any]) -> list[dict[str, Any]]:
    """The rotary settings; a model whose layers differ has several. transformers 4 wrote ``rope_scaling``."""
    given = text.get("rope_parameters") or text.get("rope_scaling") or {}
    return [one for one in given.values() if isinstance(one, dict)] or [given]


def _window(text: dict[str, Any], context: int | None) -> int | None:
    window = text.get("sliding_window", DEFAULT_WINDOWS.get(str(text.get("model_type"))))
    kinds = text.get("layer_types")
    used = any("sliding" in kind for kind in kinds) if kinds else text.get("use_sliding_window", True)
    return int(window) if window and used and window < (context or window + 1) else None


def _head_size(text: dict[str, Any]) -> int | None:
    if text.get("head_dim"):
        return int(text["head_dim"])
    hidden, heads = (text.get(one) or text.get(other) for one, other in SIZES)
    return int(hidden) // int(heads) if hidden and heads else None


SIZES = (("hidden_size", "n_embd"), ("num_attention_heads", "n_head"))


def _partial(text: dict[str, Any]) -> float:
    """The share of a head that is rotated."""
    inside = next(
        (one["partial_rotary_factor"] for one in ropes_of(text) if "partial_rotary_factor" in one), None
    )
    return float(inside or text.get("partial_rotary_factor") or text.get("rotary_pct") or 1.0)
