"""Requirements that are not met, and what to give to pip."""

from __future__ import annotations

import sys

import pytest

from ptx.cli.doctor.distributions import conflicts, extra_with, look
from ptx.machine import installed_version


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """``installed("a", "1.0", "b>=2")`` writes the metadata of a distribution and its requirements."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    installed_version.cache_clear()

    def write(name: str, version: str, *requires: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        folder.joinpath("METADATA").write_text(
            "\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires)])
        )

    yield write
    installed_version.cache_clear()


def test_what_is_missing_or_of_another_version_is_found_through_any_depth(installed):
    installed("bowl-top", "1.0", "bowl-middle", "bowl-absent>=3")
    installed("bowl-middle", "2.0", "bowl-leaf>=2,<3")
    installed("bowl-leaf", "1.5")
    assert sorted(conflicts(["bowl-top"])) == [
        ("bowl-middle 2.0", "bowl-leaf<3,>=2", "1.5"),
        ("bowl-top 1.0", "bowl-absent>=3", ""),
    ]


def test_an_extra_counts_only_where_somebody_asks_for_it(installed):
    installed("bowl-top", "1.0", "bowl-middle[fast]")
    installed("bowl-middle", "2.0", 'bowl-quick; extra == "fast"', 'bowl-slow; extra == "slow"')
    assert conflicts(["bowl-top"]) == [("bowl-middle 2.0", "bowl-quick", "")]


def test_requirements_of_other_systems_and_circles_are_no_conflict(installed):
    installed("bowl-top", "1.0", 'bowl-windows; sys_platform == "win32"', "bowl-middle", "???")
    installed("bowl-middle", "2.0", "bowl-top")
    assert conflicts(["bowl-top"]) == []


def test_a_library_of_an_extra_is_installed_by_the_extra():
    assert extra_with("onnxruntime-genai") == "ptx[onnx]"
    assert extra_with("xllamacpp") == "ptx[gguf]"
    assert extra_with("anything-else") == "anything-else"


def test_the_pinned_set_of_this_project_fits_together():
    assert [line for line in look() if line.severity != "fine"] == []
