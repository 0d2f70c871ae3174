"""One wandb run per ptx run.

The curves of every step have their own axis (``sft/step``), because all steps of a recipe count from 0 and
wandb's global counter only increases. Metrics go into the summary as ``bench/accuracy`` with ``.../low``,
``.../high`` and ``.../n`` beside it, so that runs can be compared by plain numbers. The configuration holds
the lineage: every step with its key in the store.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run

if TYPE_CHECKING:
    from wandb import Run as WandbRun

    from ptx_wandb import Wandb

TABLE_ROWS = 500  # a larger table is not sent; the results of all examples are in the run's folder
START_SECONDS = 30.0
LONGEST_NAME = 128  # characters that wandb's server accepts


@dataclass(frozen=True)
class Tracked:
    """An open wandb run, and the labels of the steps whose axis is defined already."""

    to: WandbRun
    curves: set[str] = field(default_factory=set)


_active: dict[Path, Tracked] = {}  # by record folder, of this process


def start(run: Run, settings: Wandb) -> Tracked | None:
    """Open a wandb run; None, and a line of output, where that fails."""
    try:
        tracked = Tracked(_open(run, settings))
    except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
        run.say(f"wandb could not start, the run continues without it: {_line(error)}")
        return None
    _active[run.record] = tracked
    return tracked


def _open(run: Run, settings: Wandb) -> WandbRun:
    mode = mode_of(settings.mode)
    try:
        return _init(run, settings, mode)
    except Exception as error:
        if settings.mode != "auto" or mode == "offline":
            raise
        run.say(f"wandb cannot be reached ({_line(error)}); tracking offline")
        return _init(run, settings, "offline")


def mode_of(mode: str) -> str:
    """The mode; ``auto`` is WANDB_MODE if that is set, else online for a logged-in user, else offline."""
    if mode != "auto":
        return mode
    if from_environment := os.environ.get("WANDB_MODE"):
        return from_environment
    import wandb

    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def _init(run: Run, settings: Wandb, mode: str) -> WandbRun:
    import wandb

    folder = Path(run.config.out)
    folder.mkdir(parents=True, exist_ok=True)
    plan = run.plan
    return wandb.init(
        project=settings.project,
        entity=settings.entity,
        group=plan.sweep[:LONGEST_NAME],
        name=(plan.label or plan.id)[:LONGEST_NAME],
        job_type=plan.verb,
        tags=settings.tags or None,
        config={**dataclasses.asdict(run.config), "ptx": _lineage(run)},
        dir=str(folder),
        mode=mode,  # type: ignore[arg-type]
        reinit="create_new",
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, init_timeout=START_SECONDS
        ),
    )


def _lineage(run: Run) -> dict[str, Any]:
    steps = [{"name": step.name, "kind": step.kind, "key": step.key} for step in run.plan.steps]
    return {
        "run": run.plan.id,
        "sweep": run.plan.sweep,
        "record": str(run.record),
        "device": run.device,
        "steps": steps,
    }


def log(run: Run, metrics: dict[str, float], step: int) -> None:
    """Add a point to the curves of the current step of ``run``.

    Does nothing in processes that did not open the wandb run.
    """
    tracked = _active.get(run.record)
    if tracked is None:
        return
    label = run.label or "run"
    if label not in tracked.curves:
        tracked.to.define_metric(f"{label}/*", step_metric=f"{label}/step")
        tracked.curves.add(label)
    tracked.to.log({f"{label}/step": step, **{f"{label}/{name}": value for name, value in metrics.items()}})


def finish(run: Run, tracked: Tracked | None, result: dict[str, Any] | None) -> None:
    """Write the summary and close; ``result`` is None when the run ended by an exception."""
    _active.pop(run.record, None)
    if tracked is None:
        return
    try:
        if result is not None:
            tracked.to.summary.update(summary_of(result))
            _log_table(tracked.to, result)
        broken = result is None or result.get("status", "done") != "done"
        tracked.to.finish(exit_code=int(broken))
    except Exception as error:  # noqa: BLE001 (a tracker may fail in any way and must not stop a run)
        run.say(f"wandb could not finish: {_line(error)}")


def summary_of(result: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a result as one flat dictionary."""
    summary: dict[str, Any] = {}
    if model := result.get("model"):
        summary |= {f"model/{name}": model.get(name) for name in ("digest", "bytes", "runtime")}
    for step in result.get("steps", ()):
        summary |= {
            f"steps/{step['name']}/{name}": step.get(name) for name in ("key", "shared", "seconds", "bytes")
        }
    for metric in result.get("metrics", ()):
        name = _metric_name(metric)
        summary[name] = metric["value"]
        summary |= {f"{name}/{bound}": metric[bound] for bound in ("low", "high", "n")}
    return {name: value for name, value in summary.items() if value is not None}


def _metric_name(metric: dict[str, Any]) -> str:
    name = f"{metric['evaluator']}/{metric['name']}"
    return f"{name}/{metric['segment']}" if metric.get("segment") else name


def _log_table(tracked: WandbRun, result: dict[str, Any]) -> None:
    import wandb

    metrics = result.get("metrics", ())
    if not 0 < len(metrics) <= TABLE_ROWS:
        return
    columns = ["evaluator", "name", "segment", "value", "low", "high", "n", "unit", "better"]
    tracked.log(
        {
            "metrics": wandb.Table(
                columns=columns, data=[[metric.get(column) for column in columns] for metric in metrics]
            )
        }
    )


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
