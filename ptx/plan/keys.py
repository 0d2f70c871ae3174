"""The ingredients of keys: everything that decides the result of a step or an evaluation.

A key is the digest of its ingredients, so that equal work has an equal key, wherever and whenever it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.config import Compressor, Maker, Method, Part, RunConfig, Runtime, Scorer, identity_of
from ptx.data import DataSet, Promised
from ptx.files import digest_of, file_digest
from ptx.hooks.host import Host
from ptx.plan.plan import Measure, Step
from ptx.records import ModelRef
from ptx.store.entry import step_that_made
from ptx.store.store import Identity


@dataclass(frozen=True)
class Ingredients:
    """The ingredients of the steps and evaluations of one run."""

    host: Host
    config: RunConfig
    device: str

    def of_step(
        self, kind: str, step: Any, name: str, artifact: dict[str, Any], fed: DataSet | Promised | None
    ) -> dict[str, Any]:
        """The ingredients of a step.

        They are its settings, its input (``artifact``), the rows of its data, its environment, and the part
        of ``launch=`` that decides the result.
        """
        found = self.of(kind, step) | environment_of(step) | {"input": artifact}
        launch = self.config.launch
        if launch is not None and kind in launch.kinds and (decides := launch.decides()):
            found["launch"] = decides
        if fed is not None:
            shape = fed.require(step.needs, name)
            found["data"] = fed.ingredient(shape)
            if reads := {shape: fed.ingredient(shape).popitem()[1] for (shape,) in reads_of(step)}:
                found["reads"] = reads
        if isinstance(step, Compressor | Maker) and (files := step.inputs()):
            found["inputs"] = digests(files)
        if isinstance(step, Method) and is_later_round(name):
            found["seed"] = step_seed(self.config.seed, name)
        return found | self._of_maker(step, name) if isinstance(step, Maker) else found

    def _of_maker(self, maker: Maker, name: str) -> dict[str, Any]:
        """What a maker has beside other steps: noise of its own, and the runtime that it generates on."""
        seed = {"seed": step_seed(self.config.seed, name) if maker.draws() else None}
        if not maker.opens_model():
            return seed | {"input": {}}
        return seed | {"runtime": self._served(self.config.runtime)}

    def _served(self, runtime: Runtime) -> dict[str, Any]:
        """The ingredients of a runtime that opens a model, which draws nothing by itself."""
        return {name: part for name, part in self.of("load", runtime).items() if name != "seed"}

    @property
    def baseline_runtime(self) -> Any:
        """The runtime of the baseline: ``baseline_runtime=`` where it is given, else that of the run."""
        return self.config.runtime if self.config.baseline_runtime is None else self.config.baseline_runtime

    def reference(self, model: ModelRef) -> Step:
        """The export of the original model to the runtime of the baseline.

        It is the same step as that of the baseline run.
        """
        runtime = self.baseline_runtime
        ingredients = self.of("export", runtime) | environment_of(runtime) | {"input": source_of(model)}
        return Step(
            "export",
            f"{self.host.choice_of(runtime).name} of the baseline",
            runtime,
            None,
            Identity("steps", ingredients),
        )

    def measure(
        self, name: str, artifact: dict[str, Any], baseline: str, models: dict[str, Any] | None = None
    ) -> Measure:
        """An evaluation; ``baseline`` is the key or digest of the model that it may compare with.

        ``models`` are the ingredients of further models, by role.
        """
        evaluator = self.config.eval[name]
        found = self.of("evaluate", evaluator)
        found |= {
            "input": artifact,
            "runtime": self._served(self.config.runtime),
            "inputs": digests(evaluator.inputs()),
        }
        if models:
            found["models"] = models
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
        """The ingredients of any configured part: its plugin, settings, libraries, files and scorers."""
        found = {
            "kind": kind,
            "config": identity_of(part),
            "device": self.device,
            "seed": self.config.seed,
        } | self._origin(part)
        if isinstance(part, Runtime) and kind == "load" and (served := part.served()):
            found["served"] = served.identity()
        if isinstance(part, Method) and part.qat is not None:
            found["qat"] = self._origin(part.qat)
        if isinstance(part, Method) and (acting := part.environment) is not None:
            found["environment"] = {
                "config": identity_of(acting),
                "inputs": digests(acting.inputs()),
                **self._origin(acting),
            }
        if isinstance(part, Scorer | Runtime) and (files := part.inputs()):
            found["inputs"] = digests(files)
        if scorers := part.scorers():
            found["scorers"] = {name: self.of("score", self.config.scorer[name]) for name in scorers}
        return found

    def _origin(self, part: Any) -> dict[str, Any]:
        """The choice of a part, with the versions of its plugin and libraries."""
        choice, owner = self.host.choice_of(part), self.host.owner_of(part)
        plugin = f"{owner.name} {owner.version} {choice.version}"
        return {"choice": choice.name, "plugin": plugin, "libraries": machine.versions(choice.libraries)}


def source_of(model: ModelRef) -> dict[str, str]:
    """The ingredient for a model that a command starts from.

    A model that an earlier command has made counts as the step that made it, so that what was measured of it
    then is not measured again, and a recipe and its steps typed one by one share their work.
    """
    step = step_that_made(model.path, model.digest)
    return {"step": step} if step else {"model": model.digest}


def environment_of(step: Part) -> dict[str, Any]:
    """The ingredient for the environment of a step; empty where it runs in this one.

    It is not in the keys of evaluations: a package that was exported there is opened here.
    """
    outside = step.outside()
    return {} if outside is None else {"outside": outside.identity()}


def digests(paths: Sequence[Path]) -> list[str]:
    """The digests of files and folders."""
    return [ModelRef.of(path).digest if path.is_dir() else file_digest(path) for path in paths]


def reads_of(step: Part) -> list[tuple[str]]:
    """The shapes that a step reads in addition to the one it works on, each as a tuple of one."""
    return [(shape,) for shape in step.reads]


def is_later_round(name: str) -> bool:
    """Whether a step is the second or a later one of its name (``grpo_2``), which draws noise of its own.

    Other steps keep the seed of the run, and so the keys that they have always had.
    """
    stem, _, turn = name.rpartition("_")
    return bool(stem) and turn.isdecimal() and int(turn) > 1


def step_seed(seed: int, name: str) -> int:
    """The seed of the step ``name``: two rounds of a recipe draw different noise."""
    return int(digest_of([seed, name])[:8], 16)
