"""Fields of configuration classes, and which of them decide a result."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from ptx import identity_of, setting


@dataclass
class Inner:
    width: int = setting(1, "how wide")
    shown: bool = setting(True, "print it", identity=False)


@dataclass
class Outer:
    rate: float = setting(0.1, "how fast")
    every: int = setting(10, "log every so many steps", identity=False)
    tags: list[str] = setting([], "words")
    inner: Any = setting(None, "a part")


def test_a_field_has_its_help():
    assert {field.name: field.metadata["help"] for field in dataclasses.fields(Outer)}["rate"] == "how fast"


def test_a_setting_without_a_default_must_be_given():
    @dataclass
    class Needy:
        path: str = setting(help="the folder")

    with pytest.raises(TypeError, match="path"):
        Needy()


def test_mutable_defaults_are_not_shared():
    first, second = Outer(), Outer()
    first.tags.append("a")
    assert second.tags == []


def test_the_identity_holds_the_fields_that_decide_the_result():
    assert identity_of(Outer(every=99)) == identity_of(Outer())
    assert identity_of(Outer(rate=0.2)) != identity_of(Outer())
    assert identity_of(Outer()) == {"rate": 0.1, "tags": [], "inner": None}


def test_a_part_is_in_the_identity_with_its_type():
    assert identity_of(Outer(inner=Inner(2)))["inner"] == {"type": "Inner", "width": 2}
