"""Where things run: the choices of ``launch=`` (a step) and ``cluster=`` (the runs of a sweep).

Existing engines do the work: torchrun, ``accelerate launch``, Slurm through submitit, Ray. What stands here
is their settings, their command lines, and what can be told to be wrong before anything starts.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import yaml

from ptx import machine
from ptx.config import Cluster, Launch, RunConfig, setting
from ptx.errors import Problem, did_you_mean, must_be_at_least
from ptx.files import digest_of


def _several(processes: int) -> dict[str, Any]:
    """One process sums in the order of an inline step and shares its key; several round otherwise, and do
    not.
    """
    return {"processes": processes} if processes > 1 else {}


@dataclass
class Inline(Launch):
    """In the process that takes the run."""


@dataclass
class Process(Launch):
    """In a process of its own: a step that crashes the interpreter or leaves memory behind harms no other."""

    kinds: ClassVar[tuple[str, ...]] = ("train", "compress", "export")


@dataclass
class Torchrun(Launch):
    """Data-parallel training (DDP) under torchrun on this machine: every rank has a whole copy of the
    model.
    """

    kinds: ClassVar[tuple[str, ...]] = ("train",)
    processes: int = setting(
        2,
        "ranks; on a GPU machine at most one per GPU. method.batch_size stays what all of them see together",
    )

    def __post_init__(self) -> None:
        must_be_at_least("launch.processes", self.processes, 1, 2)

    @property
    def ranks(self) -> int:
        """As many as asked for."""
        return self.processes

    def command(self, child: list[str]) -> list[str]:
        """Torchrun by its module; ``--standalone`` finds a free port."""
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={self.processes}",
            "-m",
            *child,
        ]

    def decides(self) -> dict[str, Any]:
        """The number of ranks."""
        return _several(self.processes)


@dataclass
class Accelerate(Launch):
    """Training under ``accelerate launch``: FSDP2, DeepSpeed ZeRO, or whatever the configuration file
    says.
    """

    kinds: ClassVar[tuple[str, ...]] = ("train",)
    config: str = setting(
        "fsdp2",
        "a configuration that TRL ships (fsdp1, fsdp2, zero1, zero2, zero3, multi_gpu), or a file of"
        " your own",
    )
    processes: int = setting(2, "ranks; takes the place of the file's num_processes")

    def __post_init__(self) -> None:
        must_be_at_least("launch.processes", self.processes, 1, 2)

    @property
    def ranks(self) -> int:
        """As many as asked for."""
        return self.processes

    @property
    def file(self) -> Path:
        """The configuration file: the user's where there is one, else TRL's."""
        own = Path(self.config).expanduser()
        return own if own.is_file() else shipped_configs() / f"{self.config}.yaml"

    @property
    def shards(self) -> bool:
        """FSDP and DeepSpeed do."""
        return self.file.is_file() and self.settings().get("distributed_type") in ("FSDP", "DEEPSPEED")

    def settings(self) -> dict[str, Any]:
        """What the file says."""
        found = yaml.safe_load(self.file.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}

    def command(self, child: list[str]) -> list[str]:
        """Accelerate by its module; port 0 is any free one."""
        own = [f"--config_file={self.file}", f"--num_processes={self.processes}", "--main_process_port=0"]
        return [sys.executable, "-m", "accelerate.commands.launch", *own, "-m", *child]

    def decides(self) -> dict[str, Any]:
        """The file's content: sharding rounds otherwise, and its mixed precision is part of it."""
        return {**_several(self.processes), "accelerate": digest_of(self.settings())}


def shipped_configs() -> Path:
    """TRL's folder of accelerate configurations, found without importing TRL."""
    spec = find_spec("trl")
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0] if folders else "trl") / "accelerate_configs"


def launch_problems(config: RunConfig) -> list[Problem]:
    """What is wrong with ``launch=`` for this run's method."""
    launch, method = config.launch, config.method
    if launch is None or method is None:
        return []
    found = _accelerate_problems(launch) if isinstance(launch, Accelerate) else []
    if launch.ranks > 1 and not method.parallel:
        what = f"{type(method).__name__} cannot be trained by {launch.ranks} processes together"
        found.append(Problem(what, "use launch=process, or a method that can: sft, dpo"))
    gpus = len(machine.visible_gpus())
    if config.cluster is None and machine.resolve_device(config.device) == "cuda" and launch.ranks > gpus:
        found.append(
            Problem(
                f"launch.processes={launch.ranks}, and there are {gpus} GPUs",
                f"try launch.processes={max(gpus, 1)}",
            )
        )
    return found


def _accelerate_problems(launch: Accelerate) -> list[Problem]:
    if not launch.file.is_file():
        known = sorted(path.stem for path in shipped_configs().glob("*.yaml"))
        return [
            Problem(
                f"launch.config={launch.config}: no such file, and TRL ships no such configuration",
                did_you_mean(launch.config, known),
            )
        ]
    try:
        settings = launch.settings()
    except yaml.YAMLError as error:
        return [
            Problem(
                f"{launch.file} is not YAML: {' '.join(str(error).split())}", "`accelerate config` writes one"
            )
        ]
    if "distributed_type" not in settings:
        return [
            Problem(
                f"{launch.file} is no accelerate configuration: it has no distributed_type",
                "`accelerate config` writes one",
            )
        ]
    kind, found = str(settings["distributed_type"]), []
    if int(settings.get("num_machines") or 1) > 1:
        found.append(
            Problem(
                f"{launch.file} is for {settings['num_machines']} machines",
                "ptx starts the ranks of one: num_machines: 1",
            )
        )
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        found.append(Problem(f"launch.config={launch.config} needs DeepSpeed", "pip install deepspeed"))
    return found


def accelerator_problems(config: RunConfig) -> list[Problem]:
    """Configurations that shard over GPUs do nothing (accelerate falls back in silence) or fail on a CPU."""
    launch = config.launch
    if (
        not isinstance(launch, Accelerate)
        or not launch.file.is_file()
        or machine.resolve_device(config.device) == "cuda"
    ):
        return []
    kind = str(launch.settings().get("distributed_type"))
    if kind not in ("FSDP", "DEEPSPEED", "MULTI_GPU"):
        return []
    return [
        Problem(
            f"launch.config={launch.config} ({kind}) needs GPUs, and this run is on the CPU",
            "launch=torchrun works on a CPU",
        )
    ]


@dataclass
class Slurm(Cluster):
    """Every run a Slurm job, through submitit: submit and return; the same command again collects and
    continues.
    """

    partition: str | None = setting(None, "partition; default: the cluster's")
    minutes: int = setting(60, "time limit of a job")
    gpus: int = setting(0, "GPUs of a job")
    cpus: int = setting(4, "cores of a job")
    memory_gb: int | None = setting(None, "memory of a job; default: the cluster's")
    account: str | None = setting(None, "account")
    parallel: int = setting(64, "jobs of a sweep that may run at once")
    requeues: int = setting(
        3, "how often a job that reached its time limit is queued again; preempted jobs always are"
    )
    exclusive: bool = setting(False, "whole nodes: nothing beside a run disturbs its timings")
    args: dict[str, Any] = setting({}, "any other sbatch option: cluster.args={qos: high, constraint: a100}")

    def __post_init__(self) -> None:
        for name in ("minutes", "cpus", "parallel"):
            must_be_at_least(f"cluster.{name}", getattr(self, name), 1, 2)
        for name in ("gpus", "requeues"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"cluster.{name} must not be negative, got {getattr(self, name)}; try cluster.{name}=1"
                )

    def problems(self, config: RunConfig) -> list[Problem]:
        """Submitit, Slurm's commands, and a device that is known before the job starts."""
        found = []
        if find_spec("submitit") is None:
            found.append(Problem("cluster=slurm needs submitit", "pip install 'ptx[slurm]'"))
        missing = [name for name in ("sbatch", "srun", "sacct") if shutil.which(name) is None]
        if missing:
            found.append(
                Problem(
                    f"cluster=slurm: no {', '.join(missing)} here",
                    "type the command on a login node of the cluster",
                )
            )
        return found + _device_problems(config, self.gpus)


@dataclass
class Ray(Cluster):
    """Every run a Ray task, on this machine or on a Ray cluster with a shared file system."""

    address: str | None = setting(
        None, "of a running cluster (auto, or ray://host:10001); default: a Ray of its own on this machine"
    )
    cpus: float = setting(1.0, "cores of a task; also its OMP_NUM_THREADS")
    gpus: float = setting(0.0, "GPUs of a task; Ray sets CUDA_VISIBLE_DEVICES")

    def __post_init__(self) -> None:
        if not self.cpus > 0:
            raise ValueError(f"cluster.cpus must be positive, got {self.cpus}; try cluster.cpus=1")
        if not self.gpus >= 0:
            raise ValueError(f"cluster.gpus must not be negative, got {self.gpus}; try cluster.gpus=1")

    def problems(self, config: RunConfig) -> list[Problem]:
        """Ray itself, and a device that is known before the task starts."""
        found = (
            []
            if find_spec("ray") is not None
            else [Problem("cluster=ray needs Ray", "pip install 'ptx[ray]'")]
        )
        return found + _device_problems(config, self.gpus)


def _device_problems(config: RunConfig, gpus: float) -> list[Problem]:
    """Keys hold the device, so it must be known here although the run is somewhere else."""
    if gpus and config.device == "auto" and machine.resolve_device("auto") != "cuda":
        return [
            Problem(
                f"cluster.gpus={gpus:g}, and device=auto means the CPU on this machine", "say device=cuda"
            )
        ]
    if not gpus and machine.resolve_device(config.device) == "cuda":
        return [
            Problem(
                "the runs are to use a GPU (device), and cluster.gpus=0 asks for none",
                "cluster.gpus=1, or device=cpu",
            )
        ]
    return []
