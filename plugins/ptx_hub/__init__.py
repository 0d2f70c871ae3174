"""``model=ORG/NAME`` and ``data=ORG/NAME``: models and data sets from the Hugging Face hub.

Without a network they come from the hub's local cache. Only safetensors, tokenizer and configuration files
are downloaded, never pickles and never code. The YAML presets of the group ``model`` (``model=qwen3_0_6b``)
are this choice with an id filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ptx import Choice, Data, Model, hookimpl, setting


@dataclass
class HubModel(Model):
    """A model on the hub; written ``model=ORG/NAME``."""

    id: str = setting(help="ORG/NAME")
    revision: str | None = setting(None, "branch, tag or commit; default: the main branch")


@dataclass
class HubData(Data):
    """A data set on the hub; written ``data=ORG/NAME``."""

    id: str = setting(help="ORG/NAME")
    split: str = setting("train", "split, or a part of a split such as train[:1000]")
    subset: str | None = setting(None, "configuration, for data sets that have several")
    revision: str | None = setting(None, "branch, tag or commit; default: the main branch")
    columns: dict[str, str] = setting(
        {}, "canonical column -> the data set's column, such as prompt: question"
    )
    shape: str | None = setting(None, "the shape, where the columns fit more than one")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``model=hub`` and ``data=hub``."""
    return [
        Choice("model", "hub", HubModel, "a model on the Hugging Face hub; written model=ORG/NAME"),
        Choice("data", "hub", HubData, "a data set on the Hugging Face hub; written data=ORG/NAME"),
    ]


@hookimpl
def ptx_resolve(value: Model | Data, cache: Path) -> Path | None:
    """Download the model or data set, or find an earlier download."""
    if isinstance(value, HubModel):
        from ptx_hub.fetch import fetch_model

        return fetch_model(value, cache / "hub" / "models")
    if isinstance(value, HubData):
        from ptx_hub.fetch import fetch_data

        return fetch_data(value, cache / "hub" / "data")
    return None
