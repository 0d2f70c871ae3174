"""What a step's memory follows from, and the forecast of its peak: values without any library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ptx.models.shape import ModelShape


@dataclass(frozen=True)
class Workload:
    """What a step meets: its model, the device, the tokens of the longest example, further models by role.

    ``longest`` is None where the step reads no data, or nobody could count its tokens; ``rows`` is the number
    of its examples.
    """

    model: ModelShape
    device: str
    longest: int | None = None
    rows: int | None = None
    others: Mapping[str, ModelShape] = field(default_factory=dict)


@dataclass(frozen=True)
class Amount:
    """How much a step does, in units that take about equally long; ``alike`` names what else decides that."""

    units: float
    alike: str


@dataclass(frozen=True)
class Memory:
    """The peak of a step in bytes, by what takes it, largest first when shown.

    ``device`` is the memory of the GPU, or of the machine in a run on the CPU. ``least`` is what no setting
    of the batch can lower: a step whose ``least`` is above the whole memory cannot run.
    """

    device: Mapping[str, float]
    least: float = 0.0
    host: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The bytes on the device."""
        return sum(self.device.values())

    @property
    def host_total(self) -> float:
        """The bytes of the machine's memory beside those of a GPU; 0 in a run on the CPU."""
        return sum(self.host.values())

    def largest(self, count: int = 4) -> list[tuple[str, float]]:
        """The parts that take most."""
        return sorted(self.device.items(), key=lambda part: -part[1])[:count]
