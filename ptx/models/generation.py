"""What generation_config.json says."""

from __future__ import annotations

from typing import Any

#: settings that have an effect only when a model samples, with the value that says nothing
SAMPLING: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 50,
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}


def idle_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of sampling in a generation config that does not sample: transformers will not save it."""
    if config.get("do_sample") is True:
        return {}
    return {
        name: config[name]
        for name, nothing in SAMPLING.items()
        if config.get(name) is not None and config[name] != nothing
    }
