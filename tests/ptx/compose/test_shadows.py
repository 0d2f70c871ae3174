"""A file of the user that takes the place of a packaged one is said when it is used."""

from __future__ import annotations

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.compose.shadows import shadowing
from ptx.hooks.host import load_host


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "compress").mkdir(parents=True)
    (tmp_path / "conf" / "compress" / "gptq_w4.yaml").write_text("defaults: [gptq]\nbits: 3\n")
    (tmp_path / "conf" / "compress" / "mine.yaml").write_text("defaults: [gptq]\nbits: 2\n")
    return load_host(tmp_path, {})


def notes(host, compress):
    return compose_jobs(host, "compress", ["model=tiny", f"compress=[{compress}]", "eval=[]"])[0]


def test_a_preset_of_the_user_in_place_of_a_packaged_one_is_said_when_it_is_used(host):
    job = notes(host, "gptq_w4")
    assert job.config.compress["gptq_w4"].bits == 3
    assert "compress=gptq_w4 is conf/compress/gptq_w4.yaml, in place of ptx's own" in job.notes


@pytest.mark.parametrize("name", ["mine", "rtn"])
def test_nothing_is_said_of_new_names_and_of_packaged_ones(host, name):
    assert not [note for note in notes(host, name).notes if "in place of" in note]


def test_another_folder_is_looked_at_too(host, tmp_path):
    (tmp_path / "more" / "recipe").mkdir(parents=True)
    (tmp_path / "more" / "recipe" / "sft.yaml").write_text("steps: {}\n")
    assert [(group, name) for group, name, _ in shadowing(host, str(tmp_path / "more"))] == [
        ("recipe", "sft"),
        ("compress", "gptq_w4"),
    ]
