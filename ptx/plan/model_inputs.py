"""The models that a step reads beside its input (a teacher), as its settings name them: the run's own,
another step's, or any model.

What comes out goes into the step's key: the digest of a folder, or the key of the step that makes the model.
So a teacher that is given as another path with the same files shares the step, and a teacher that has changed
does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ptx.compose.overrides import HUB_ID, is_path
from ptx.config import Model, RunConfig
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.hooks.host import Host
from ptx.records import ModelRef

START, INPUT = "start", "input"
#: what a step calls a model -> the model, or the name of the earlier step that makes it
Further = Mapping[str, ModelRef | str]


def further_models(
    host: Host, config: RunConfig, model: ModelRef, resolve: Callable[[Model], ModelRef | None]
) -> dict[str, Further]:
    """Per step that reads some. ``resolve`` makes a model choice a folder; what it cannot resolve is left
    out.

    Raises:
        ConfigError: a name that is neither a step's nor a model's.
    """
    found: dict[str, Further] = {}
    before: dict[str, Any] = {}
    for name, step in config.chain().items():
        roles = {
            role: _there(host, value, before, model, resolve) for role, value in step.models(before).items()
        }
        if kept := {role: there for role, there in roles.items() if there is not None}:
            found[name] = kept
        before[name] = step
    return found


def _there(
    host: Host,
    value: str,
    before: Mapping[str, Any],
    model: ModelRef,
    resolve: Callable[[Model], ModelRef | None],
) -> ModelRef | str | None:
    if value == INPUT:
        value = next(reversed([*before]), START)
    if value == START:
        return model
    return value if value in before else resolve(model_choice(host, value, [START, INPUT, *before]))


def model_choice(host: Host, value: str, also: list[str]) -> Model:
    """The model choice that ``value`` stands for: a name, a path or a hub id; ``also`` are further words that
    could have been meant.
    """
    named = host.choices.get(("model", value))
    if named is not None and value not in ("path", "hub"):
        made: Model = named.config_type()
    elif is_path("model", value):
        made = host.choices["model", "path"].config_type(path=str(Path(value).expanduser()))
    elif HUB_ID.fullmatch(value) and ("model", "hub") in host.choices:
        made = host.choices["model", "hub"].config_type(id=value)
    else:
        known = [*also, *(name for name in host.names("model") if name not in ("path", "hub"))]
        hint = did_you_mean(value, known)
        raise ConfigError(
            Problem(
                f"no model {value!r}, and no such folder",
                f"{hint} Write a path as ./{value}, an id of the hub as org/name",
            )
        )
    return made
