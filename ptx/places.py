"""Where a step runs: the choices of ``launch=``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ptx.config import Launch


@dataclass
class Inline(Launch):
    """In the process that takes the run."""


@dataclass
class Process(Launch):
    """In a process of its own: a step that crashes the interpreter or leaves memory behind harms no other."""

    kinds: ClassVar[tuple[str, ...]] = ("train", "compress", "export")
