"""The Pareto front over several objectives, when the objectives are measured with noise.

A point is *dominated* if a rival is measurably better on one objective and measurably worse on none. "Better
beyond noise on any objective" alone would not do: of twenty equal models the luckiest is then said to beat
the unluckiest in most sweeps, and a smaller model that is clearly worse would beat a larger one.

- *Better* is claimed at 95 % for all claims together: the noise of a difference is that of Zou and Donner
  (2008), stretched for the number of pairs and of objectives with noise (Bonferroni).
- *Worse* needs less: one difference beyond its plain 95 % noise is a reason not to say "dominated".
- A missing value (None or NaN) is not a good value. A point that lacks an objective is never on the front and
  dominates nothing. A search that sorts a missing latency as zero would ship the model that could not be
  measured. A value whose interval is infinite neither dominates nor is dominated.

A point that is not dominated is on the *front* if no rival's values are all at least as good, else *near* it:
possibly on the front, as far as the measurement can say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ptx.records import Better
from ptx.stats.distributions import LEVEL, t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

Standing = Literal["front", "near", "dominated", "missing"]
#: (rival, point) -> whether the rival is measurably worse, by evidence that is not in the intervals
Worse = Callable[[int, int], bool]
BLOCK = 64  # rivals that are compared with all points at once


@dataclass(frozen=True)
class Value:
    """A measured objective with its interval; ``n`` is the number of items behind it (0: many)."""

    value: float
    low: float
    high: float
    n: int = 0

    @classmethod
    def exact(cls, value: float) -> Value:
        """A value without noise, such as bytes on disk."""
        return cls(value, value, value)


@dataclass(frozen=True)
class Place:
    """The standing of a point; ``by`` is the index of the rival that dominates it."""

    standing: Standing
    by: int | None = None


Point = Sequence[Value | float | None]


def front(points: Sequence[Point], directions: Sequence[Better]) -> list[int]:
    """Indices of the points on the front, in the given order; points with equal values are all kept."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "front"]


def near(points: Sequence[Point], directions: Sequence[Better]) -> list[int]:
    """Indices of the points that are possibly on the front: beaten, but by less than the noise."""
    return [index for index, standing in enumerate(standings(points, directions)) if standing == "near"]


def standings(points: Sequence[Point], directions: Sequence[Better]) -> list[Standing]:
    """The standing of each point: on the front, near it (within noise), dominated, or missing a value."""
    return [place.standing for place in places(points, directions)]


def places(
    points: Sequence[Point],
    directions: Sequence[Better],
    *,
    worse: Worse | None = None,
    negligible: float = 0.0,
    families: int = 1,
) -> list[Place]:
    """The standing of each point, with its dominator.

    Args:
        points: one value per objective, each.
        directions: whether more or less of each objective is better.
        worse: further evidence, such as a comparison by item; a rival that it calls worse dominates nothing.
            It is asked only where a value of the rival is lower.
        negligible: a difference of exact values below this share of them is none.
        families: the number of fronts that one reader looks at; all claims together are wrong in 5 %.
    """
    oriented = [_oriented(point, directions) for point in points]
    whole = [index for index, point in enumerate(oriented) if point is not None]
    found = [Place("missing")] * len(points)
    if not whole:
        return found
    field = _Field([point for point in oriented if point is not None], negligible, families)
    rivals = field.dominators(None if worse is None else lambda a, b: worse(whole[a], whole[b]))
    beaten = field.beaten()
    for here, index in enumerate(whole):
        by = rivals.get(here)
        found[index] = (
            Place("dominated", whole[by]) if by is not None else Place("near" if beaten[here] else "front")
        )
    return found


class _Field:
    """All points as arrays of (points, objectives), oriented so that higher is better."""

    def __init__(self, points: Sequence[Sequence[Value]], negligible: float, families: int) -> None:
        import numpy as np

        self.negligible = negligible
        self.value = np.array([[one.value for one in point] for point in points])
        self.below = self.value - np.array([[one.low for one in point] for point in points])
        self.above = np.array([[one.high for one in point] for point in points]) - self.value
        noisy = int((np.maximum(self.below, self.above) > 0).any(axis=0).sum())
        count = len(points)
        tests = max(1, families * noisy * count * (count - 1) // 2)
        counts = np.array([[one.n for one in point] for point in points])
        distinct, place = np.unique(counts, return_inverse=True)
        self.stretch = np.array([_stretch(int(n), tests) for n in distinct])[place].reshape(counts.shape)
        # best first, so that most points meet a dominator in the first block
        ranks = np.argsort(np.argsort(-self.value, axis=0, kind="stable"), axis=0, kind="stable")
        self.order = np.argsort(ranks.sum(axis=1), kind="stable")

    def dominators(self, worse: Worse | None) -> dict[int, int]:
        """Point -> the rival that dominates it; an undominated rival where there is one."""
        import numpy as np

        every = np.arange(len(self.value))
        found = self._sweep(self.order, every, worse)
        free = [int(index) for index in self.order if int(index) not in found]
        return found | self._sweep(np.array(free, dtype=int), np.array(sorted(found), dtype=int), worse)

    def _sweep(self, rivals: NDArray[Any], points: NDArray[Any], worse: Worse | None) -> dict[int, int]:
        """Point -> a rival that dominates it; block by block, and a point that has one is done."""
        import numpy as np

        found: dict[int, int] = {}
        for start in range(0, len(rivals), BLOCK):
            if not len(points):
                break
            found |= self._beaten_by(rivals[start : start + BLOCK], points, worse)
            points = np.array([index for index in points.tolist() if index not in found], dtype=int)
        return found

    def _beaten_by(self, rivals: NDArray[Any], points: NDArray[Any], worse: Worse | None) -> dict[int, int]:
        """Point -> the first of ``rivals`` that dominates it, those with no lower value before others."""
        import numpy as np

        clear, lower = self._clearly(rivals, points)
        sure = clear & ~lower
        first, found = sure.argmax(axis=0), {}
        for column in np.flatnonzero(sure.any(axis=0)).tolist():
            found[int(points[column])] = int(rivals[first[column]])
        for column in np.flatnonzero((clear & lower).any(axis=0) & ~sure.any(axis=0)).tolist():
            point = int(points[column])
            able = rivals[np.flatnonzero(clear[:, column])].tolist()
            rival = next((one for one in able if worse is None or not worse(one, point)), None)
            if rival is not None:
                found[point] = rival
        return found

    def _gap(self, rivals: NDArray[Any], points: NDArray[Any], noise: NDArray[Any]) -> NDArray[Any]:
        """Rival minus point; of exact values a negligible gap is none."""
        import numpy as np

        gap: NDArray[Any] = self.value[rivals][:, None] - self.value[points][None]
        size = np.abs(self.value[points])[None] * self.negligible
        gap[(noise == 0) & (np.abs(gap) < size)] = 0.0
        return gap

    def _noise(
        self, a: NDArray[Any], b: NDArray[Any], rivals: NDArray[Any], points: NDArray[Any]
    ) -> NDArray[Any]:
        import numpy as np

        noise: NDArray[Any] = np.hypot(a[rivals][:, None], b[points][None])
        return noise

    def _clearly(self, rivals: NDArray[Any], points: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(Rivals, points): is the rival measurably better on one objective and worse on none; is it lower.

        It is lower if some value of it is, however little.
        """
        import numpy as np

        stretch = np.maximum(self.stretch[rivals][:, None], self.stretch[points][None])
        less, more = (
            self._noise(self.below, self.above, rivals, points),
            self._noise(self.above, self.below, rivals, points),
        )
        gap = self._gap(rivals, points, less)
        better = (gap > stretch * less).any(axis=2)
        # an infinite interval says neither "better" nor "not worse"
        fit = ((gap >= -more) & np.isfinite(less) & np.isfinite(more)).all(axis=2)
        lower: NDArray[Any] = np.any(gap < 0, axis=2)
        return better & fit & (rivals[:, None] != points[None]), lower

    def beaten(self) -> list[bool]:
        """Whether some rival's values are all at least as good as a point's, and one is better."""
        import numpy as np

        kept: list[int] = []
        found = [False] * len(self.value)
        for index in np.lexsort((*(-self.value.T[::-1]),)):  # no point is beaten by a later one
            rivals = self.value[kept]
            above = (rivals >= self.value[index]).all(axis=1) & (rivals > self.value[index]).any(axis=1)
            found[int(index)] = bool(above.any())
            if not found[int(index)]:
                kept.append(int(index))
        return found


def _stretch(n: int, tests: int) -> float:
    """How much wider an interval of one of ``tests`` joint claims is than one at 95 %."""
    freedom = n - 1.0 if n > 1 else math.inf
    return t_quantile(1 - (1 - LEVEL) / (2 * tests), freedom) / t_quantile((1 + LEVEL) / 2, freedom)


def _oriented(point: Point, directions: Sequence[Better]) -> list[Value] | None:
    """The point with all objectives turned to "higher is better"; None when a value is missing."""
    if len(point) != len(directions):
        raise ValueError(
            f"a point has {len(point)} objectives, but {len(directions)} directions are given; give one per"
            " objective"
        )
    values = [value if isinstance(value, Value) or value is None else Value.exact(value) for value in point]
    if any(value is None or not math.isfinite(value.value) for value in values):
        return None
    return [
        _negated_if_lower(value, better)
        for value, better in zip(values, directions, strict=True)
        if value is not None
    ]


def _negated_if_lower(value: Value, better: Better) -> Value:
    return value if better == "higher" else Value(-value.value, -value.high, -value.low, value.n)
