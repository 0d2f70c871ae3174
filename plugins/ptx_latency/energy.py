"""Energy, if the machine counts it: Intel's and AMD's RAPL counters under /sys, NVIDIA's through NVML.

Both count the whole package or card, also what other processes use. The figure is therefore right only on a
machine that serves this model alone. On most systems only root can read the RAPL files, because of a known
side channel; counters that cannot be read are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")


class Meter:
    """Counters of joules; :meth:`since` returns the energy used since a reading."""

    def __init__(self, device: str = "cpu", powercap: Path = POWERCAP) -> None:
        self.packages = [
            zone for zone in sorted(powercap.glob("*-rapl:[0-9]")) if _number(zone / "energy_uj") is not None
        ]
        self.cards = nvidia_cards() if device == "cuda" else []

    def read(self) -> list[float]:
        """Joules on every counter; empty if there are none."""
        packages = [(_number(zone / "energy_uj") or 0.0) / 1e6 for zone in self.packages]
        return packages + [card() / 1e3 for card in self.cards]

    def since(self, before: list[float]) -> float:
        """Joules since ``before``, also where a RAPL counter has wrapped around to zero."""
        ranges = [(_number(zone / "max_energy_range_uj") or 0.0) / 1e6 for zone in self.packages] + [
            0.0
        ] * len(self.cards)
        used = [now - was for now, was in zip(self.read(), before, strict=True)]
        return sum(one + (span if one < 0 else 0.0) for one, span in zip(used, ranges, strict=True))


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def nvidia_cards() -> list[Any]:
    """Per visible card a function that returns its millijoules since the driver was loaded.

    Volta and later cards have them; without NVML the list is empty.
    """
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        for handle in handles:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return []
    return [lambda handle=handle: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles]
