"""A plugin for the tests of searches: a method with a known optimum (x=0.3, y=0.7).

It takes milliseconds and needs no ML library. Tests use it as a plugin and, copied, as a ``ptxfile.py`` of a
real process.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ptx
from ptx import (
    Choice,
    Compressor,
    Evaluation,
    Evaluator,
    Method,
    Metric,
    ModelRef,
    StepError,
    hookimpl,
    setting,
)

BEST = (0.3, 0.7)


@dataclass
class Bowl(Method):
    x: float = setting(0.0, "first coordinate")
    y: float = setting(0.7, "second coordinate")
    steps: int = setting(9, "how many are logged")
    sleep: float = setting(0.0, "seconds per step", identity=False)
    fail_above: float = setting(math.inf, "an x above it fails")

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError(f"method.x must not be negative, got {self.x}; try method.x=0.1")


@dataclass
class Flat(Method):
    level: float = setting(0.5, "its distance")


@dataclass
class Shave(Compressor):
    needs = ()
    share: float = setting(0.5, "size that is left")


@dataclass
class Gap(Evaluator):
    opens_model = False
    noise: float = setting(0.001, "half width of the interval")
    nan_above: float = setting(math.inf, "an x above it cannot be measured")


@hookimpl
def ptx_choices() -> list[Choice]:
    return [
        Choice("method", "bowl", Bowl, "a bowl"),
        Choice("method", "flat", Flat, "a plain"),
        Choice("compress", "shave", Shave, "smaller"),
        Choice("eval", "gap", Gap, "how far from the optimum"),
    ]


@hookimpl
def ptx_train(run: Any, method: Any, model: ModelRef) -> ModelRef | None:
    if isinstance(method, Flat):
        return written(run, model, {"x": BEST[0] + math.sqrt(method.level), "y": BEST[1], "size": 1.0})
    if not isinstance(method, Bowl):
        return None
    with Path("trained.log").open("a") as log:
        log.write(f"{method.x} {method.y} {run.seed}\n")
    if method.x > method.fail_above:
        raise StepError(f"x={method.x} is too much")
    for step in range(1, method.steps + 1):
        (run.checkpoints / "last").write_text(str(step))
        time.sleep(method.sleep)
        run.log({"loss": distance(method.x, method.y) + 1 / step}, step, method.steps)
    return written(run, model, {"x": method.x, "y": method.y, "size": 1.0})


@hookimpl
def ptx_compress(run: Any, compressor: Any, model: ModelRef) -> ModelRef | None:
    if not isinstance(compressor, Shave):
        return None
    point = json.loads((model.path / "point.json").read_text())
    return written(run, model, {**point, "size": compressor.share})


def written(run: Any, model: ModelRef, point: dict[str, float]) -> ModelRef:
    shutil.copytree(model.path, run.folder / "model")
    (run.folder / "model" / "point.json").write_text(json.dumps({**point, "seed": run.seed}))
    return ModelRef.of(run.folder / "model")


def distance(x: float, y: float) -> float:
    return (x - BEST[0]) ** 2 + (y - BEST[1]) ** 2


@hookimpl
def ptx_evaluate(evaluator: Any, model: ModelRef) -> Evaluation | None:
    if not isinstance(evaluator, Gap):
        return None
    file = model.path / "point.json"
    point = json.loads(file.read_text()) if file.exists() else {"x": 1.0, "y": 1.0, "size": 1.0, "seed": 0}
    value = distance(point["x"], point["y"]) + 0.01 * point["seed"]
    if point["x"] > evaluator.nan_above:
        value = math.nan
    noise = evaluator.noise
    return Evaluation(
        [
            Metric("gap/mean", value, "", "lower", value - noise, value + noise, 50),
            Metric("gap/x", point["x"], "", "lower", point["x"], point["x"], 1),
            Metric("size/left", point["size"], "", "lower", point["size"], point["size"], 1),
        ]
    )


assert ptx.__version__
