"""Copies of a composed configuration."""

from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from ptx.compose.snapshot import Snapshot
from ptx.config import setting


def test_a_copy_equals_its_original_and_shares_nothing_with_it():
    @dataclass
    class Local:  # a class without a name that could be imported, as in a ptxfile
        rate: float = setting(0.1, "how fast")
        tags: list[str] = setting(["a"], "names")
        inner: Any = setting(None, "a part")

    node = OmegaConf.create({"part": OmegaConf.structured(Local)})
    snapshot = Snapshot(node)
    first, second = snapshot.copy(), snapshot.copy()
    first.part.tags.append("b")
    first.part.rate = 0.5
    assert second == node
    assert OmegaConf.get_type(second.part) is Local
    assert OmegaConf.to_object(second.part) == Local()
