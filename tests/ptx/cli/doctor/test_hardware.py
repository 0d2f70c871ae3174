"""The machine's section, with stand-ins for what nvidia-smi says."""

from __future__ import annotations

import stat

import pytest

from ptx.cli.doctor import hardware


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """``driver(0, text)``: an nvidia-smi that prints the text and ends with the code."""

    def make(code: int, text: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def line_of(about: str):
    return next(line for line in hardware.look() if line.about == about)


def test_a_gpu_beside_a_torch_for_processors_is_wrong(driver, monkeypatch):
    driver(0, "NVIDIA H100, 580.1, 80000 MiB, 81559 MiB")
    assert line_of("GPU").found == "NVIDIA H100, 80000 MiB free of 81559 MiB, driver 580.1"
    monkeypatch.setattr(hardware, "installed_version", lambda _: "2.13.0+cpu")
    assert line_of("torch").severity == "wrong"
    monkeypatch.setattr(hardware, "installed_version", lambda _: "2.13.0+cu130")
    assert "torch" not in {line.about for line in hardware.look()}


def test_a_driver_that_does_not_answer_is_wrong_and_its_words_are_shown(driver):
    driver(9, "NVIDIA-SMI has failed")
    assert line_of("GPU").severity == "wrong"
    assert "NVIDIA-SMI has failed" in line_of("GPU").found


def test_little_memory_is_told_with_what_it_is_enough_for(monkeypatch):
    monkeypatch.setattr(hardware, "free_bytes", lambda _: 2e9)
    assert line_of("memory").severity == "note"
    assert "lora=lora" in line_of("memory").fix


def test_little_room_on_the_disk_is_told(monkeypatch):
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1e6}))
    assert line_of("disk of this folder").severity == "note"
