"""Try ways to make a package, in the order of their bytes, and keep the first that is near its model."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.lm.serving.fidelity import Fidelity, check


@dataclass(frozen=True)
class Try:
    """A package that was built and compared with its model."""

    name: str
    folder: Path
    bytes: int
    fidelity: Fidelity
    formats: str = ""
    expected: float = math.nan  # KL that was predicted, in nats per token

    def passes(self, most: float) -> bool:
        """Whether its perplexity, divided by the model's, is at most ``most``."""
        return self.fidelity.perplexity_ratio <= most

    @property
    def distance(self) -> float:
        """The KL; infinite where it is not a number, which is no measurement and never wins."""
        return math.inf if math.isnan(self.fidelity.kl.value) else self.fidelity.kl.value

    def line(self) -> str:
        """One line for the user."""
        kl = self.fidelity.kl
        formats = f" ({self.formats})" if self.formats and self.formats != self.name else ""
        return (
            f"{self.name}: {self.bytes / 1e6:.1f} MB, KL to the model {kl.value:.3g} [{kl.low:.3g},"
            f" {kl.high:.3g}] nats per token, {self.fidelity.flips.value:.1%} of {kl.n} tokens flip{formats}"
        )

    def row(self) -> dict[str, Any]:
        """The same for the record; a number that is not finite is null."""
        expected = None if math.isnan(self.expected) else self.expected
        return {
            "way": self.name,
            "bytes": self.bytes,
            "kl": self.fidelity.kl.value if math.isfinite(self.fidelity.kl.value) else None,
            "flips": self.fidelity.flips.value if math.isfinite(self.fidelity.flips.value) else None,
            "predicted_kl": expected,
            "formats": self.formats,
        }


@dataclass(frozen=True)
class Tried:
    """The package that is kept, and everything that was tried."""

    kept: Try
    tries: tuple[Try, ...]

    def rows(self) -> list[dict[str, Any]]:
        """All tries for the record, in their order."""
        return [one.row() for one in self.tries]


def formats_of(plan: Mapping[str, str]) -> str:
    """The formats of a plan, by matrix, the commonest first, in a few words."""
    counts = Counter(plan.values()).most_common()
    return ", ".join(f"{count} matrices in {form}" for form, count in counts)


def smallest_that_passes(rounds: Iterable[Sequence[Try]], ratio: float, most: int) -> Tried:
    """Judge round after round until one has a package that passes, or ``most`` packages were tried.

    Of one round the nearest is kept. If none passes, the nearest of all is kept; the caller's check then says
    how far it is. The folders of the others are removed.
    """
    tried: list[Try] = []
    for found in rounds:
        tried += found
        passing = [one for one in found if one.passes(ratio)]
        if passing or len(tried) >= most:
            break
    kept = min(passing or tried, key=lambda one: one.distance)
    for one in tried:
        if one is not kept:
            shutil.rmtree(one.folder, ignore_errors=True)
    return Tried(kept, tuple(tried))


def check_tried(tried: Tried, what: str, ratio: float, instead: str, *, exact: bool = False) -> None:
    """Refuse the package that is kept if it is too far from its model.

    Raises:
        StepError: it is; the message holds the figures of all tries.
    """
    lines = "".join(f"\n  {one.line()}" for one in tried.tries) if len(tried.tries) > 1 else ""
    check(tried.kept.fidelity, what, ratio, instead + lines, exact=exact)
