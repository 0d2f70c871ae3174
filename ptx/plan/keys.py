"""What decides a result, part by part: the ingredients that a key is the digest of (DESIGN: a step's identity
is its content).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.config import Compressor, Method, Part, RunConfig, Runtime, Scorer, identity_of
from ptx.data import DataSet
from ptx.files import file_digest
from ptx.hooks.host import Host
from ptx.plan.plan import Measure, Step
from ptx.records import ModelRef
from ptx.store.store import Identity


@dataclass(frozen=True)
class Ingredients:
    """Those of the parts of one run."""

    host: Host
    config: RunConfig
    device: str

    def of_step(
        self, kind: str, step: Any, name: str, artifact: dict[str, Any], fed: DataSet | None
    ) -> dict[str, Any]:
        """A step's: its settings, what it is given, the data that it is fed, and where it runs as far as that
        decides.
        """
        found = self.of(kind, step) | environment_of(step) | {"input": artifact}
        launch = self.config.launch
        if launch is not None and kind in launch.kinds and (decides := launch.decides()):
            found["launch"] = decides
        if fed is not None:
            shape = fed.require(step.needs, name)
            found["data"] = {"shape": shape, "digest": fed.digest(shape)}
            if reads := {shape: fed.digest(shape) for (shape,) in reads_of(step)}:
                found["reads"] = reads
        if isinstance(step, Compressor) and (files := step.inputs()):
            found["inputs"] = digests(files)
        return found

    @property
    def baseline_runtime(self) -> Any:
        """What serves the model as it came: what is declared, else the run's own."""
        return self.config.runtime if self.config.baseline_runtime is None else self.config.baseline_runtime

    def reference(self, model: ModelRef) -> Step:
        """The model as it came, exported to the runtime that serves it: the step that its baseline run takes
        too.
        """
        runtime = self.baseline_runtime
        ingredients = (
            self.of("export", runtime) | environment_of(runtime) | {"input": {"model": model.digest}}
        )
        return Step(
            "export",
            f"{self.host.choice_of(runtime).name} of the baseline",
            runtime,
            None,
            Identity("steps", ingredients),
        )

    def measure(self, name: str, artifact: dict[str, Any], baseline: str) -> Measure:
        """An evaluation with its identity; ``baseline`` stands for the model that it may be compared with."""
        evaluator = self.config.eval[name]
        found = self.of("evaluate", evaluator)
        found |= {
            "input": artifact,
            "runtime": self.of("load", self.config.runtime),
            "inputs": digests(evaluator.inputs()),
        }
        found["runtime"].pop("seed")
        if self.config.decode is not None:
            found["decode"] = self.of("decode", self.config.decode)
        if not evaluator.seeded:
            found.pop("seed")
        if evaluator.timed:
            found["machine"] = machine.hardware()
        if evaluator.compares:
            found["baseline"] = baseline
            if self.config.baseline_runtime is not None:
                found["baseline_runtime"] = self.of("load", self.config.baseline_runtime)
        return Measure(name, evaluator, Identity("evaluations", found))

    def of(self, kind: str, part: Part) -> dict[str, Any]:
        """Those of any configured part: the plugin that answers for it, its settings, libraries, files and
        scorers.
        """
        found = {
            "kind": kind,
            "config": identity_of(part),
            "device": self.device,
            "seed": self.config.seed,
        } | self._made_by(part)
        if isinstance(part, Runtime) and kind == "load" and (served := part.served()):
            found["served"] = served.identity()
        if isinstance(part, Method) and part.qat is not None:
            found["qat"] = self._made_by(part.qat)
        if isinstance(part, Scorer | Runtime) and (files := part.inputs()):
            found["inputs"] = digests(files)
        if scorers := part.scorers():
            found["scorers"] = {name: self.of("score", self.config.scorer[name]) for name in scorers}
        return found

    def _made_by(self, part: Any) -> dict[str, Any]:
        """The choice, with the versions of its plugin and libraries."""
        choice, owner = self.host.choice_of(part), self.host.owner_of(part)
        plugin = f"{owner.name} {owner.version} {choice.version}"
        return {"choice": choice.name, "plugin": plugin, "libraries": machine.versions(choice.libraries)}


def environment_of(step: Part) -> dict[str, Any]:
    """What decides the result in the environment that a step runs in, where that is not this one.

    A package that was made there is opened here, so no evaluation has this in its key.
    """
    outside = step.outside()
    return {} if outside is None else {"outside": outside.identity()}


def digests(paths: Sequence[Path]) -> list[str]:
    """The contents of files and folders."""
    return [ModelRef.of(path).digest if path.is_dir() else file_digest(path) for path in paths]


def reads_of(step: Part) -> list[tuple[str]]:
    """The shapes that a step reads beside the one it works on, each as a need of its own."""
    return [(shape,) for shape in step.reads]
