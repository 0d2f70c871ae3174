"""The models that a step reads in addition to its input, such as a teacher.

The settings of the step name them: the run's own model, the result of an earlier step, or any other model.
Each goes into the key of the step, as the digest of its folder or as the key of the step that makes it. So
the same files at another path give the same key, and changed files give another key.
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
#: role of a model in a step -> the model, or the name of the earlier step that makes it
Further = Mapping[str, ModelRef | str]


def further_models(
    host: Host, config: RunConfig, model: ModelRef, resolve: Callable[[Model], ModelRef | None]
) -> dict[str, Further]:
    """The further models by step, for the steps that read some.

    ``resolve`` gives the folder of a model choice; a model that it cannot resolve is left out.

    Raises:
        ConfigError: for a name that is neither an earlier step nor a model.
    """
    found: dict[str, Further] = {}
    before: dict[str, Any] = {}
    for name, step in config.chain().items():
        roles = {
            role: _model_of(host, value, before, model, resolve)
            for role, value in step.models(before).items()
        }
        if resolved := {role: ref for role, ref in roles.items() if ref is not None}:
            found[name] = resolved
        before[name] = step
    return found


def _model_of(
    host: Host,
    value: str,
    before: Mapping[str, Any],
    model: ModelRef,
    resolve: Callable[[Model], ModelRef | None],
) -> ModelRef | str | None:
    """The model that ``value`` names, or the name of the earlier step that makes it."""
    if value == INPUT:
        value = next(reversed([*before]), START)
    if value == START:
        return model
    return value if value in before else resolve(model_choice(host, value, [START, INPUT, *before]))


def model_choice(host: Host, value: str, also: list[str]) -> Model:
    """The model choice that ``value`` names: a choice, a path or an id of the hub.

    Raises:
        ConfigError: when it names none; ``also`` are further words that the user may have meant.
    """
    named = host.choices.get(("model", value))
    if named is not None and value not in ("path", "hub"):
        choice: Model = named.config_type()
    elif is_path("model", value):
        choice = host.choices["model", "path"].config_type(path=str(Path(value).expanduser()))
    elif HUB_ID.fullmatch(value) and ("model", "hub") in host.choices:
        choice = host.choices["model", "hub"].config_type(id=value)
    else:
        known = [*also, *(name for name in host.names("model") if name not in ("path", "hub"))]
        hint = did_you_mean(value, known)
        raise ConfigError(
            Problem(
                f"no model {value!r}, and no such folder",
                f"{hint} Write a path as ./{value}, an id of the hub as org/name",
            )
        )
    return choice
