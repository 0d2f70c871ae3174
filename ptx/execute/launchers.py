"""The choices of ``launch=`` (where a step runs) and ``cluster=`` (where the runs of a sweep run).

Existing engines do the work: torchrun, ``accelerate launch``, Slurm through submitit, Ray. This module holds
their settings, their command lines, and the checks that are made before anything starts.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import machine
from ptx.config import Cluster, Launch, RunConfig, setting
from ptx.errors import Problem, did_you_mean, must_be_at_least, must_be_one_of
from ptx.files import digest_of
from ptx.guard.reading import FileError


def _several(processes: int) -> dict[str, Any]:
    """Return the part of a step's key that depends on the number of processes.

    One process sums in the same order as an inline step and shares its key. Several processes sum in another
    order and round differently, so they have a key of their own.
    """
    return {"processes": processes} if processes > 1 else {}


@dataclass
class Inline(Launch):
    """Run the step in the process that executes the run."""


@dataclass
class Process(Launch):
    """Run the step in a process of its own: if it crashes or leaks memory, no other step is harmed."""

    kinds: ClassVar[tuple[str, ...]] = ("train", "compress", "make", "export")


@dataclass
class Torchrun(Launch):
    """Data-parallel training (DDP) under torchrun on this machine.

    Every rank has a whole copy of the model.
    """

    kinds: ClassVar[tuple[str, ...]] = ("train",)
    processes: int = setting(
        2,
        "number of ranks; on a GPU machine at most one per GPU. method.batch_size counts all ranks together",
    )

    def __post_init__(self) -> None:
        must_be_at_least("launch.processes", self.processes, 1, 2)

    @property
    @override
    def ranks(self) -> int:
        return self.processes

    @override
    def command(self, child: list[str]) -> list[str]:
        """Return the command that calls torchrun by its module; ``--standalone`` finds a free port."""
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={self.processes}",
            "-m",
            *child,
        ]

    @override
    def decides(self) -> dict[str, Any]:
        return _several(self.processes)


@dataclass
class Accelerate(Launch):
    """Training under ``accelerate launch``: FSDP2, DeepSpeed ZeRO, or what the configuration file says."""

    kinds: ClassVar[tuple[str, ...]] = ("train",)
    config: str = setting(
        "fsdp2",
        "a configuration that TRL ships (fsdp1, fsdp2, zero1, zero2, zero3, multi_gpu), or the path of a"
        " configuration file",
    )
    processes: int = setting(2, "number of ranks; replaces num_processes of the configuration file")

    def __post_init__(self) -> None:
        must_be_at_least("launch.processes", self.processes, 1, 2)

    @property
    @override
    def ranks(self) -> int:
        return self.processes

    @property
    def file(self) -> Path:
        """The configuration file: the user's if there is such a file, else TRL's."""
        own = Path(self.config).expanduser()
        return own if own.is_file() else shipped_configs() / f"{self.config}.yaml"

    @property
    @override
    def shards(self) -> bool:
        return self.file.is_file() and self.settings().get("distributed_type") in ("FSDP", "DEEPSPEED")

    def settings(self) -> dict[str, Any]:
        """Return the content of the configuration file."""
        from ptx.guard.plain_yaml import read_yaml  # with PyYAML, which `ptx --help` can do without

        found = read_yaml(self.file)
        return found if isinstance(found, dict) else {}

    @override
    def command(self, child: list[str]) -> list[str]:
        """Return the command that calls accelerate by its module; port 0 means any free port."""
        own = [f"--config_file={self.file}", f"--num_processes={self.processes}", "--main_process_port=0"]
        return [sys.executable, "-m", "accelerate.commands.launch", *own, "-m", *child]

    @override
    def decides(self) -> dict[str, Any]:
        """Return the number of ranks and the file's content: its sharding and precision change the result."""
        return {**_several(self.processes), "accelerate": digest_of(self.settings())}


def shipped_configs() -> Path:
    """Return TRL's folder of accelerate configurations; TRL is not imported."""
    spec = find_spec("trl")
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0] if folders else "trl") / "accelerate_configs"


def launch_problems(config: RunConfig) -> list[Problem]:
    """Return what is wrong with ``launch=`` for the method of this run."""
    launch, method = config.launch, config.method
    if launch is None or method is None:
        return []
    found = _accelerate_problems(launch) if isinstance(launch, Accelerate) else []
    if launch.ranks > 1 and not method.parallel:
        what = f"{type(method).__name__} cannot train with {launch.ranks} processes together"
        found.append(Problem(what, "use launch=process, or a method that can: sft, dpo"))
    gpus = len(machine.visible_gpus())
    if config.cluster is None and machine.resolve_device(config.device) == "cuda" and launch.ranks > gpus:
        found.append(
            Problem(
                f"launch.processes={launch.ranks}, but this machine has {gpus} GPUs",
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
    except FileError as error:
        return [Problem(problem.what, "`accelerate config` writes one") for problem in error.problems]
    if "distributed_type" not in settings:
        return [
            Problem(
                f"{launch.file} is no accelerate configuration: it has no distributed_type",
                "`accelerate config` writes one",
            )
        ]
    kind, found = str(settings["distributed_type"]), []
    if settings.get("num_machines") not in (None, 1):
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
    """Return a problem if the configuration shards over GPUs and the run is on a CPU.

    Such a configuration fails on a CPU, or accelerate ignores it without a message.
    """
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
    """Run every run as a Slurm job, through submitit.

    The command submits the jobs and returns; the same command again collects the results and continues.
    """

    partition: str | None = setting(None, "partition; default: the cluster's")
    minutes: int = setting(60, "time limit of a job")
    gpus: int = setting(0, "GPUs of a job")
    cpus: int = setting(4, "cores of a job")
    memory_gb: int | None = setting(None, "memory of a job; default: the cluster's")
    account: str | None = setting(None, "account that the jobs are charged to")
    parallel: int = setting(64, "most jobs of a sweep that run at the same time")
    requeues: int = setting(
        3, "how often a job that reached its time limit is queued again; a preempted job always is"
    )
    exclusive: bool = setting(False, "reserve whole nodes, so that no other job disturbs the timings")
    args: dict[str, Any] = setting({}, "any other sbatch option: cluster.args={qos: high, constraint: a100}")

    def __post_init__(self) -> None:
        for name in ("minutes", "cpus", "parallel"):
            must_be_at_least(f"cluster.{name}", getattr(self, name), 1, 2)
        for name in ("gpus", "requeues"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"cluster.{name} must not be negative, got {getattr(self, name)}; try cluster.{name}=1"
                )

    @override
    def problems(self, config: RunConfig) -> list[Problem]:
        """Check that submitit and Slurm's commands are there, and that the device is known."""
        found = []
        if find_spec("submitit") is None:
            found.append(Problem("cluster=slurm needs submitit", "pip install 'ptx[slurm]'"))
        missing = [name for name in ("sbatch", "srun", "sacct") if shutil.which(name) is None]
        if missing:
            found.append(
                Problem(
                    f"cluster=slurm: this machine has no {', '.join(missing)}",
                    "type the command on a login node of the cluster",
                )
            )
        return found + _device_problems(config, self.gpus)


@dataclass
class Ray(Cluster):
    """Run every run as a Ray task, on this machine or on a Ray cluster with a shared file system."""

    address: str | None = setting(
        None, "address of a running cluster (auto, or ray://host:10001); default: start Ray on this machine"
    )
    cpus: float = setting(1.0, "cores of a task; also its OMP_NUM_THREADS")
    gpus: float = setting(0.0, "GPUs of a task; Ray sets CUDA_VISIBLE_DEVICES")
    listen: str = setting(
        "loopback",
        "where a Ray that is started on this machine listens: loopback, or all (every network can then send"
        " it code to run)",
    )

    def __post_init__(self) -> None:
        must_be_one_of("cluster.listen", self.listen, ("loopback", "all"), "loopback")
        if not self.cpus > 0:
            raise ValueError(f"cluster.cpus must be positive, got {self.cpus}; try cluster.cpus=1")
        if not self.gpus >= 0:
            raise ValueError(f"cluster.gpus must not be negative, got {self.gpus}; try cluster.gpus=1")

    @override
    def problems(self, config: RunConfig) -> list[Problem]:
        """Check that Ray is installed and that the device is known."""
        found = (
            []
            if find_spec("ray") is not None
            else [Problem("cluster=ray needs Ray", "pip install 'ptx[ray]'")]
        )
        return found + _device_problems(config, self.gpus)


def _device_problems(config: RunConfig, gpus: float) -> list[Problem]:
    """Return a problem if the device cannot be known here.

    Keys hold the device, so it must be known on this machine although the run is on another one.
    """
    if gpus and config.device == "auto" and machine.resolve_device("auto") != "cuda":
        return [
            Problem(
                f"cluster.gpus={gpus:g}, but device=auto means the CPU on this machine", "write device=cuda"
            )
        ]
    if not gpus and machine.resolve_device(config.device) == "cuda":
        return [
            Problem(
                f"device={config.device} means a GPU, but cluster.gpus=0 asks for none",
                "cluster.gpus=1, or device=cpu",
            )
        ]
    return []
