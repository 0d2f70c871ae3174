"""The data that an earlier step of a run will make: its shapes are known, its rows are not.

It stands for the rows in the plan and in the keys, so that a whole run is keyed before its first step. When
the step has run, its folder is opened and checked like a file of the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptx.data.derive import DERIVATIONS
from ptx.data.shapes import COLUMNS
from ptx.errors import ConfigError, Problem


@dataclass(frozen=True)
class Promised:
    """What the step ``name`` will make; ``key`` is its key, once the plan knows it."""

    name: str
    gives: tuple[str, ...]
    key: str = ""

    @property
    def shapes(self) -> tuple[str, ...]:
        """The shapes that it makes, and those that follow from them."""
        derived = [
            shape for shape, bases in DERIVATIONS.items() if any(given in bases for given in self.gives)
        ]
        return tuple(dict.fromkeys([*self.gives, *derived]))

    def require(self, needs: Sequence[str], who: str) -> str:
        """The first shape of ``needs`` that it can give.

        Raises:
            ConfigError: it can give none; ``who`` is the step that needs one.
        """
        for shape in needs:
            if shape in self.shapes:
                return shape
        wanted = " or ".join(f"{shape} (columns {', '.join(COLUMNS[shape])})" for shape in needs)
        what = f"{who} needs {wanted}; the step {self.name} makes {', '.join(self.gives)}"
        fix = f"let {self.name} make that (ptx plugins explains its settings), or name another step or shape"
        raise ConfigError(Problem(what, fix))

    def ingredient(self, shape: str) -> dict[str, str]:
        """What stands for the rows in the key of a step that reads them."""
        return {"shape": shape, "step": self.key}
