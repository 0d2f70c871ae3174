"""The configuration of a run: one value or list per group, and the settings that belong to no choice."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ptx.config.settings import setting
from ptx.guard.names import name_problem, path_fault, shown


@dataclass
class Check:
    """What of the checks before a run is waived."""

    allow: list[str] = setting(
        [], "findings on rows and models that do not stop and are not told, by name", identity=False
    )


@dataclass
class RunConfig:
    """One run, resolved; ``--cfg job`` prints it, and ``run.json`` holds it."""

    model: Any = None
    data: Any = None
    recipe: Any = None
    make: Any = None
    method: Any = None
    compress: dict[str, Any] = field(default_factory=dict)
    runtime: Any = None
    baseline_runtime: Any = None  # the runtime of the baseline; None: that of the run
    decode: Any = None
    eval: dict[str, Any] = field(default_factory=dict)
    scorer: dict[str, Any] = field(default_factory=dict)
    tracker: dict[str, Any] = setting({}, identity=False)
    launch: Any = None
    cluster: Any = setting(None, identity=False)
    check: Check = field(default_factory=Check, metadata={"identity": False})
    seed: int = setting(0, "seed of everything random")
    device: str = setting("auto", "auto, cpu or cuda")
    threads: int = setting(0, "CPU threads per process; 0 leaves it to the libraries", identity=False)
    workers: int = setting(
        0, "worker processes that execute the runs; 0: this process executes them", identity=False
    )
    price_per_hour: float = setting(
        0.0, "what an hour of this machine costs, for the forecast of the plan's cost", identity=False
    )
    baseline: bool = setting(
        True, "also evaluate the original model, as the row that all others are compared with", identity=False
    )
    against: str = setting(
        "",
        "the run that the report compares all others with, by its choices ('compress=[] runtime=hf');"
        " default: the baseline",
        identity=False,
    )
    out: str = setting("ptx-out", "folder for runs and the store", identity=False)
    name: str | None = setting(
        None, "name of the run or sweep; default: made from the command", identity=False
    )

    def __post_init__(self) -> None:
        if isinstance(self.check, dict):  # as the files of a run hold it
            self.check = Check(**self.check)
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, got {self.device!r}; try device=auto")
        for name in ("threads", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}; try {name}=1")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to {2**32 - 1}, got {self.seed}; try seed=0")
        if self.name is not None and (problem := name_problem("name", self.name)):
            raise ValueError(str(problem))
        if fault := path_fault(self.out):
            raise ValueError(f"out must be a folder, got {shown(self.out)}: {fault}; try out=ptx-out")

    def chain(self) -> dict[str, Any]:
        """The training and compression steps by name, in order.

        They are those of the recipe, or those of ``make=``, ``method=`` and ``compress=``.
        """
        if self.recipe:
            return dict(self.recipe["steps"])
        single = {"make": self.make, "method": self.method}
        return {name: step for name, step in single.items() if step is not None} | dict(self.compress)

    def data_of(self, name: str) -> str:
        """What the step ``name`` learns from: a shape of the run's data, or an earlier step that makes data.

        Empty: the run's data. In a recipe a step says so (``data: NAME``); a method learns from ``make=``.
        """
        if self.recipe:
            return str(self.recipe["data"].get(name) or "")
        return "make" if name == "method" and self.make is not None else ""


#: fields that say where and how a run is executed and shown, and change nothing in its result
NEUTRAL = frozenset(part.name for part in fields(RunConfig) if not part.metadata.get("identity", True))
