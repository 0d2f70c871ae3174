"""The embedded demonstration and test model of ptx, its data and its benchmark.

`model=tiny` is a trained model of two million weights inside this package, so that every method, compressor
and evaluator can be tried in a minute and tested without a download. It demonstrates ptx and says nothing
about real models. `data=tiny` is its data, and `ptx tiny build` rebuilds all of it, weights included, with
the code here: corpus.py defines what the model knows by design, data.py what it is tuned on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ptx import Choice, Command, Data, Environment, Model, hookimpl

HERE = Path(__file__).parent
MODEL_FOLDER = HERE / "model"
SHAPES = ("messages", "pairs", "thumbs", "prompts", "safety", "calibration")


@dataclass
class TinyModel(Model):
    """The embedded model: demonstration and test only."""


@dataclass
class TinyTools(Model):
    """The embedded model with a chat template that writes tools; it has to learn to call them."""


@dataclass
class TinyShop(Data):
    """Questions about prices: conversations with calls, prompts with answers, and held-out rows."""


@dataclass
class Shop(Environment):
    """A price list and a calculator; 1 where the last result of a tool is the answer."""


@dataclass
class TinyData(Data):
    """All shapes of generated rows for the embedded model, with its benchmark tasks."""

    shapes: ClassVar[tuple[str, ...]] = SHAPES


@dataclass
class TinyMessages(TinyData):
    """Demonstrations, for supervised tuning."""

    shapes: ClassVar[tuple[str, ...]] = ("messages",)


@dataclass
class TinyPairs(TinyData):
    """Chosen and rejected replies, for preference training."""

    shapes: ClassVar[tuple[str, ...]] = ("pairs",)


@dataclass
class TinyThumbs(TinyData):
    """Single replies judged good or bad."""

    shapes: ClassVar[tuple[str, ...]] = ("thumbs",)


@dataclass
class TinyPrompts(TinyData):
    """Questions with answers that a program can check."""

    shapes: ClassVar[tuple[str, ...]] = ("prompts",)


@dataclass
class TinySafety(TinyData):
    """Requests to refuse, and harmless look-alikes."""

    shapes: ClassVar[tuple[str, ...]] = ("safety",)


@dataclass
class TinyCalibration(TinyData):
    """Rendered conversations, for compressors."""

    shapes: ClassVar[tuple[str, ...]] = ("calibration",)


FAMILIES: dict[str, type[TinyData]] = {
    "tiny": TinyData,
    "tiny_messages": TinyMessages,
    "tiny_pairs": TinyPairs,
    "tiny_thumbs": TinyThumbs,
    "tiny_prompts": TinyPrompts,
    "tiny_safety": TinySafety,
    "tiny_calibration": TinyCalibration,
}


#: what GRPO, RLOO and PPO learn: the right answer, in a sentence of its language
REWARDED: dict[str, Any] = {
    "method.learning_rate": 1e-4,
    "method.max_steps": 40,
    "method.batch_size": 64,
    "method.max_completion_length": 24,
    "method.rewards": ["answer", "regex"],
    "scorer.regex.pattern": r"(The answer is|La respuesta es|Die Antwort ist) .+\.",
}

#: settings that change a model this small within a minute; those for large models would have no effect
SUGGESTED: dict[str, dict[str, Any]] = {
    "method=sft": {"method.learning_rate": 1e-3, "method.max_steps": 200},
    "method=distill": {"method.learning_rate": 1e-3, "method.max_steps": 300},
    "method=distill_sequence": {
        "method.learning_rate": 1e-3,
        "method.max_steps": 300,
        "method.max_new_tokens": 48,
    },
    "method=distill_onpolicy": {
        "method.learning_rate": 3e-4,
        "method.max_steps": 60,
        "method.max_completion_length": 24,
    },
    "method=dpo": {"method.learning_rate": 3e-5, "method.max_steps": 100},
    "method=kto": {"method.learning_rate": 5e-5, "method.max_steps": 100},
    **{
        f"method={name}": {"method.learning_rate": 1e-4, "method.max_steps": 60}
        for name in ("orpo", "simpo", "cpo", "reward")
    },
    **{f"method={name}": REWARDED for name in ("grpo", "rloo", "ppo")},
    # its own answers are few, and it can say them already: the rate for new demonstrations would harm it
    "make=sample method=sft": {"method.learning_rate": 3e-4, "method.max_steps": 80},
}


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute the model, the data with all shapes, and one data choice per shape."""
    model = Choice(
        "model",
        "tiny",
        TinyModel,
        "embedded demonstration and test model (1.9 M weights, en/es/de)",
        data="tiny",
        suggests=SUGGESTED,
    )
    tools = Choice(
        "model", "tiny_tools", TinyTools, "model=tiny with tools in its template", data="tiny_shop"
    )
    return [
        model,
        tools,
        Choice("data", "tiny_shop", TinyShop, f"generated: {_first_line(TinyShop)}"),
        Choice("environment", "tiny_shop", Shop, "a price list and a calculator, for model=tiny_tools"),
        *(Choice("data", name, kind, f"generated: {_first_line(kind)}") for name, kind in FAMILIES.items()),
    ]


@hookimpl
def ptx_resolve(value: Model | Data, cache: Path) -> Path | None:
    """The packaged model folder, or a folder of generated data.

    Data is written once per version of the generator.
    """
    if isinstance(value, TinyModel):
        return MODEL_FOLDER
    if isinstance(value, TinyTools):
        from ptx_tiny.shop_template import write_model

        return _written(cache, "model_tools", write_model)
    if isinstance(value, TinyShop):
        from ptx_tiny.shop_data import write_shop

        return _written(cache, "shop", write_shop)
    if isinstance(value, TinyData):
        return _data_folder(cache, value.shapes)
    return None


@hookimpl
def ptx_environment(environment: Environment) -> Any | None:
    """The shop."""
    if not isinstance(environment, Shop):
        return None
    from ptx_tiny.shop import PriceList

    return PriceList()


@hookimpl
def ptx_commands() -> list[Command]:
    """Contribute `ptx tiny build` and `ptx tiny data`."""
    return [Command("tiny", "rebuild the embedded demonstration model and its data", _main)]


def _main(arguments: list[str]) -> int:
    from ptx_tiny.command import main

    return main(arguments)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _data_folder(cache_folder: Path, shapes: Sequence[str]) -> Path:
    """The folder of the generated data of some shapes."""
    from ptx_tiny.data import write_data

    name = "all" if tuple(shapes) == SHAPES else "-".join(shapes)
    return _written(cache_folder, name, lambda staging, home: write_data(staging, shapes, home=home))


def _written(cache_folder: Path, name: str, write: Callable[[Path, Path], None]) -> Path:
    """The folder `CACHE/tiny-DIGEST/NAME`; it is complete or absent, because it is staged and then renamed.

    `write` gets the folder to write into, and its final place. Two processes may write it at once. The one
    whose rename fails uses the folder of the other, which holds the same bytes.
    """
    folder = cache_folder / f"tiny-{_generator_digest()}" / name
    if folder.is_dir():
        return folder
    staging = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    write(staging, folder)
    try:
        staging.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(staging)
    return folder


@cache
def _generator_digest() -> str:
    """A digest of this package's source, so that a changed generator never reads the data of an older one."""
    source = hashlib.sha256()
    for path in sorted(HERE.glob("*.py")):
        source.update(path.read_bytes())
    return source.hexdigest()[:12]
