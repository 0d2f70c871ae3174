"""Evaluators that are added by default, and the switches ``eval.NAME=true`` and ``eval.NAME=false``.

An evaluator may be a default for a kind of step (``default_for``): what a training costs elsewhere should be
in the report and not be discovered after shipping. It is added to the evaluators that are named, a note says
so, and ``--cfg job`` shows it. ``eval.NAME=false`` leaves it (or any other evaluator) out; an empty
``eval=[]`` stays empty.
"""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override

from ptx.config import Choice, Method
from ptx.errors import Problem, did_you_mean
from ptx.hooks.host import Host

Values = list[tuple[str, Any]]


def add_default_evaluators(host: Host, node: DictConfig, values: Values, notes: list[str]) -> list[Problem]:
    """Add the default evaluators to a composed run, and apply the switches among ``values``.

    Returns the problems of the switches.
    """
    switches = {key.removeprefix("eval."): on for key, on in values if is_switch(key, on)}
    choices = {name: choice for (group, name), choice in host.choices.items() if group == "eval"}
    problems = [
        Problem(f"no eval {name!r}", did_you_mean(name, list(choices)))
        for name in switches
        if name not in choices
    ]
    is_measured = bool(node.eval)
    for name, on in switches.items():
        if name in choices:
            _switch(node, choices[name], on=on)
    if is_measured and _serves(node) and _trains(node):
        for name, choice in choices.items():
            if name in node.eval or name in switches:
                continue
            if "train" in choice.config_type.default_for:  # type: ignore[attr-defined]
                _switch(node, choice, on=True)
                notes.append(
                    f"eval.{name} is measured too, since the run trains: {choice.help}; eval.{name}=false"
                    " leaves it out"
                )
    return problems


def is_switch(key: str, value: Any) -> bool:
    """Whether a typed field switches an evaluator on or off: ``eval.NAME=false``."""
    return key.startswith("eval.") and key.count(".") == 1 and isinstance(value, bool)


def _switch(node: DictConfig, choice: Choice, *, on: bool) -> None:
    with flag_override(node.eval, ["struct", "no_deepcopy_set_nodes"], [False, True]):
        if on and choice.name not in node.eval:
            node.eval[choice.name] = OmegaConf.structured(choice.config_type)
        elif not on:
            node.eval.pop(choice.name, None)


def _serves(node: DictConfig) -> bool:
    return node.runtime is None or getattr(OmegaConf.get_type(node.runtime), "serves", True)


def _trains(node: DictConfig) -> bool:
    """Whether one of the steps trains the model of the line: a method, or a compressor that is also one.

    A reward model stands beside the line, and the model that is measured is as it came.
    """
    steps = (
        list(node.recipe.steps.values())
        if node.recipe is not None
        else [node.method, *(node.compress or {}).values()]
    )
    kinds = [OmegaConf.get_type(step) for step in steps if step is not None]
    return any(issubclass(kind, Method) and kind.makes == "model" for kind in kinds if kind)
