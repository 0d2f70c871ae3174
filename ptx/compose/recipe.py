"""Recipes: YAML that names steps in order, composed to typed values as ``method=`` and ``compress=`` are.

A step is a mapping with its choice (or a preset) under ``method``, ``compress`` or ``make`` and its fields::

    why: one sentence
    steps:
      sft: {method: sft}
      prune: {compress: sparsegpt, sparsity: 0.5}
      heal: {method: sft, max_steps: 60, lora: {r: 8}}
      safety: {method: sft, data: safety}             # learns from that shape of the data family
      best: {make: sample, keep: pairs}               # makes data; the model stays as it is
      dpo: {method: dpo, data: best}                  # learns from what the step best has made
      round: {method: sft, qat: {rtn: {bits: 4}}}     # or, with the defaults of rtn, qat: rtn

``rounds: n`` with ``each:`` repeats steps (``prune_1 heal_1 prune_2 ...``) before those of ``steps``. There
``data: best`` is the data of the same round, or of the latest one before.
``ramp: {prune: {sparsity: 0.6}}`` raises a field over the rounds from 0 to its target, by the cubic schedule
of Zhu & Gupta 2017 (eq. 1).
"""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ptx.compose.fields import set_field
from ptx.compose.former_names import former_group_of_step, unknown_choice
from ptx.compose.presets import choice_or_preset
from ptx.config import FORMER_GROUPS, IN_METHOD
from ptx.errors import Problem, did_you_mean
from ptx.guard.names import name_problem
from ptx.hooks.host import Host

FIELDS = ("why", "steps", "rounds", "each", "ramp")
MOST_ROUNDS = 1_000
KINDS = ("method", "compress", "make")


def expand(host: Host, recipe: DictConfig) -> tuple[DictConfig, list[Problem], list[str]]:
    """The recipe with typed steps, its problems, and the dotted names of the fields that it sets.

    The typed recipe has ``steps``, and ``data``: the shape of the data that a step asks for, or the earlier
    step that makes it, by step.
    """
    raw = OmegaConf.to_container(recipe, resolve=True)
    assert isinstance(raw, dict)
    problems = [
        Problem(f"a recipe has no field {name!r}", did_you_mean(str(name), FIELDS))
        for name in raw
        if name not in FIELDS
    ]
    if wrong := _wrong_fields(raw):
        return OmegaConf.create({"why": "", "steps": {}, "data": {}}), problems + wrong, []
    steps = _repeated(raw) | (raw.get("steps") or {})
    if not steps:
        problems.append(Problem("the recipe has no steps", "steps: {sft: {method: sft}}"))
    typed = OmegaConf.create({"why": raw.get("why", ""), "steps": {}, "data": {}})
    for name, step in _with_sources(steps).items():
        problems += _add(host, typed, name, step)
    fields = [
        f"recipe.steps.{name}.{field}"
        for name, step in steps.items()
        if isinstance(step, dict)
        for field in step
    ]
    return typed, problems, fields


def _with_sources(steps: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps, with ``data: NAME`` of a step that is repeated as the latest of its rounds (``NAME_2``)."""
    found: dict[str, dict[str, Any]] = {}
    makers: dict[str, str] = {}  # name -> the latest step of that name that makes data
    for name, step in steps.items():
        found[name] = dict(step) if isinstance(step, dict) else {}
        if (wanted := str(found[name].get("data"))) in makers:
            found[name]["data"] = makers[wanted]
        if "make" in found[name]:
            stem, _, turn = str(name).rpartition("_")
            makers |= {name: name} | ({stem: name} if turn.isdigit() else {})
    return found


def _wrong_fields(raw: dict[Any, Any]) -> list[Problem]:
    """The problems of a recipe's own fields, before its steps are made."""
    rounds = raw.get("rounds")
    found = []
    if rounds is not None and not (type(rounds) is int and 0 <= rounds <= MOST_ROUNDS):
        what = f"rounds must be a whole number from 0 to {MOST_ROUNDS}, got {rounds!r:.60}"
        found.append(Problem(what, "rounds: 4"))
    for name, example in (("steps", "steps: {sft: {method: sft}}"), ("each", "each: {sft: {method: sft}}")):
        part = raw.get(name)
        if part is None or (isinstance(part, dict) and all(isinstance(one, dict) for one in part.values())):
            continue
        found.append(Problem(f"{name} must map names to steps, got {part!r:.80}", example))
    return found or _wrong_ramp(raw.get("ramp") or {}, raw.get("each") or {})


def _wrong_ramp(ramped: Any, each: dict[Any, Any]) -> list[Problem]:
    example = "ramp: {prune: {sparsity: 0.6}}"
    if not isinstance(ramped, dict) or not all(isinstance(one, dict) for one in ramped.values()):
        return [Problem(f"ramp must name the fields of a step of each, got {ramped!r:.80}", example)]
    found = [
        Problem(
            f"ramp names {name!r}, which is no step of each", did_you_mean(str(name), list(map(str, each)))
        )
        for name in ramped
        if name not in each
    ]
    return found + [
        Problem(f"ramp: {name}.{part} must be a finite number, got {target!r:.60}", example)
        for name, targets in ramped.items()
        for part, target in targets.items()
        if type(target) not in (int, float) or not math.isfinite(target)
    ]


def _repeated(raw: dict[Any, Any]) -> dict[str, dict[str, Any]]:
    """The steps of ``each`` once per round, with the ramped fields set."""
    rounds, each = int(raw.get("rounds") or 0), raw.get("each") or {}
    steps: dict[str, dict[str, Any]] = {}
    for turn in range(1, rounds + 1):
        for name, step in each.items():
            steps[f"{name}_{turn}"] = dict(step)
        for name, targets in (raw.get("ramp") or {}).items():
            steps[f"{name}_{turn}"] |= {
                field: round(ramp(turn / rounds, float(target)), 6) for field, target in targets.items()
            }
    return steps


def ramp(share: float, target: float) -> float:
    """The cubic schedule s(t) = s_f - s_f (1 - t)^3 for t in [0, 1] (Zhu & Gupta 2017, eq. 1, s_i = 0)."""
    return target * (1 - (1 - share) ** 3)


def _add(host: Host, recipe: DictConfig, name: str, step: dict[str, Any]) -> list[Problem]:
    """Add a typed step to the recipe; returns its problems."""
    if problem := name_problem("the name of a recipe step", name):
        return [problem]
    kinds = [kind for kind in KINDS if kind in step]
    if len(kinds) != 1:
        return [
            Problem(
                f"recipe step {name!r} must name one choice, got {step}",
                f"{name}: {{method: sft}} or {name}: {{compress: gptq}}",
            )
        ]
    group = kinds[0]
    chosen, problems = choice_or_preset(host, group, str(step[group]))
    if problems:
        return problems
    if chosen is None:
        return [unknown_choice(host, f"recipe step {name!r}", group, str(step[group]))]
    recipe.steps[name] = chosen
    problems += [former_group_of_step(host, name, old, step[old]) for old in FORMER_GROUPS if old in step]
    others = (group, "data", *IN_METHOD, *FORMER_GROUPS)
    fields = {field: value for field, value in step.items() if field not in others}
    if step.get("data"):
        recipe.data[name] = step["data"]
    for part, (asked, settings) in _in_method(step).items():
        found, wrong = choice_or_preset(host, part, asked)
        if found is None:
            problems += wrong or [unknown_choice(host, f"recipe step {name!r}", part, asked)]
            continue
        recipe.steps[name][part] = found
        fields |= {f"{part}.{field}": value for field, value in settings.items()}
    for field, value in fields.items():
        problems += set_field(recipe, f"steps.{name}.{field}", value)
    return problems


def _in_method(step: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """(choice, its settings) by group, for the groups that are fields of a method.

    ``lora: {r: 8}`` names no choice: there is only one.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for part in IN_METHOD:
        asked = step.get(part)
        if asked and part == "lora":
            found[part] = ("lora", asked if isinstance(asked, dict) else {})
        elif isinstance(asked, dict):
            found[part] = (
                ", ".join(map(str, asked)),
                next(iter(asked.values())) or {},
            )  # of two names none is a choice
        elif asked:
            found[part] = (str(asked), {})
    return found
