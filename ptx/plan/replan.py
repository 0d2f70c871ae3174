"""The plan of one recorded run, made again in another process (a worker) without Hydra."""

from __future__ import annotations

from typing import Any

from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host
from ptx.plan.feeds import Feeds
from ptx.plan.inputs import Inputs
from ptx.plan.plan import Measure, RunPlan, Step
from ptx.plan.serialize import thaw
from ptx.plan.work import work_of


def replan(host: Host, record: dict[str, Any]) -> RunPlan:
    """The plan of one run from its record (run.json).

    Raises:
        ConfigError: when a key differs from the recorded one, since an input has changed in between.
    """
    inputs = Inputs(host)
    config = thaw(record["config"], host)
    model, data = inputs.model(config.model), inputs.data(config.data)
    if model is None:
        raise ConfigError(inputs.problems)
    ref, facts = model
    further = inputs.further(config, ref)
    feeds = Feeds(host, config, ref, data, further)
    if found := [*inputs.problems, *feeds.problems]:
        raise ConfigError(found)
    work = work_of(host, config, ref, feeds.by_step, further)
    frozen = {part["name"]: part for part in [*record["steps"], *record["evaluations"]]}
    parts: list[Step | Measure] = [*work.steps, *work.evaluations]
    for part in parts:
        if part.key != frozen[part.name]["key"]:
            changed = differences(frozen[part.name]["ingredients"], part.identity.ingredients)
            what = f"{record['id']}: {part.name} has changed since it was planned: {changed}"
            raise ConfigError(Problem(what, "run the command again"))
    return RunPlan(
        **{name: record[name] for name in ("id", "label", "verb", "sweep", "varied", "baseline")},
        config=config,
        model=ref,
        facts=facts,
        data=data,
        work=work,
        overrides=tuple(record["overrides"]),
    )


def differences(before: Any, after: Any, where: str = "") -> str:
    """The leaves of two nested values that differ: ``config.beta 0.1 -> 0.2, libraries.trl ...``."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = [
            differences(before.get(key), after.get(key), f"{where}.{key}" if where else key)
            for key in dict.fromkeys([*before, *after])
        ]
        return ", ".join(part for part in found if part)
    return "" if before == after else f"{where} {before} -> {after}"
