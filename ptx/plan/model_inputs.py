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
from ptx.config import Model, Part, RunConfig
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.hooks.host import Host
from ptx.records import ModelRef

START, INPUT = "start", "input"
#: role of a model in a step -> the model, or the name of the earlier step that makes it
Further = Mapping[str, ModelRef | str]


def further_models(
    host: Host, config: RunConfig, model: ModelRef, resolve: Callable[[Model], ModelRef | None]
) -> dict[str, Further]:
    """The further models by step, and by ``eval.NAME``, for the steps and evaluators that read some.

    A scorer may name a step too (a reward model); its role is ``scorer.NAME.FIELD``. ``resolve`` gives the
    folder of a model choice; a model that it cannot resolve is left out.

    Raises:
        ConfigError: for a name that is neither an earlier step nor a model.
    """
    found: dict[str, Further] = {}
    before: dict[str, Any] = {}

    def add(name: str, *parts: Part) -> None:
        asked = {role: value for part in parts for role, value in _asked(config, part, before).items()}
        roles = {role: _model_of(host, value, before, model, resolve) for role, value in asked.items()}
        if resolved := {role: ref for role, ref in roles.items() if ref is not None}:
            _refuse_reward_models(resolved, before)
            found[name] = resolved

    for name, step in config.chain().items():
        add(name, step)
        before[name] = step
    decode = [] if config.decode is None else [config.decode]
    for name, evaluator in config.eval.items():
        add(f"eval.{name}", evaluator, *decode)
    return found


def _asked(config: RunConfig, part: Part, before: Mapping[str, Any]) -> dict[str, str]:
    """The models that a part and its scorers name, by role."""
    of_scorers = {
        f"scorer.{name}.{role}": value
        for name in part.scorers()
        if name in config.scorer
        for role, value in config.scorer[name].models(before).items()
    }
    return part.models(before) | of_scorers


def _refuse_reward_models(roles: Further, before: Mapping[str, Any]) -> None:
    """Raise ConfigError where a reward model is named as something that has to write text."""
    for role, there in roles.items():
        is_reward = isinstance(there, str) and before[there].makes == "reward"
        if is_reward and not role.startswith("scorer.") and role != "critic":
            what = f"the step {there} makes a reward model, which cannot be the {role}"
            raise ConfigError(
                Problem(what, f"name a step that makes a model, or scorer.reward.model={there}")
            )


def _model_of(
    host: Host,
    value: str,
    before: Mapping[str, Any],
    model: ModelRef,
    resolve: Callable[[Model], ModelRef | None],
) -> ModelRef | str | None:
    """The model that ``value`` names, or the name of the earlier step that makes it."""
    if value == INPUT:
        line = [name for name, step in before.items() if step.makes == "model"]
        value = next(reversed(line), START)
    if value == START:
        return model
    if value in before and before[value].makes == "data":
        raise ConfigError(
            Problem(f"the step {value} makes data, and a model is needed", "name a step that makes a model")
        )
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
