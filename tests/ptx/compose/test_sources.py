"""Folders of presets are read like any other file of a stranger."""

import os

import pytest

from ptx.compose.groups import hydra
from ptx.compose.jobs import compose_jobs
from ptx.compose.sources import path_of
from ptx.errors import ConfigError

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_package_stays_and_a_folder_is_read_by_the_bounded_source(tmp_path):
    assert path_of("pkg://theirs.conf") == "pkg://theirs.conf"
    assert path_of(str(tmp_path)) == f"presets://{tmp_path}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB, "its aliases stand for"),
        ("a: &a [*a]", "contains itself"),
        ("x: !!python/object/apply:os.system [id]", "the tag"),
        ("rate: 1\nrate: 2", "given twice"),
        ("[" * 100_000, "not YAML|deep"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_preset_that_cannot_be_used_is_named_with_its_fault(toy_host, desk, text, fault):
    preset = desk / "conf" / "method" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_bytes(text if isinstance(text, bytes) else f"defaults: [toy]\n{text}".encode())
    with pytest.raises(ConfigError, match=f"mine.yaml.*({fault})"):
        compose_jobs(toy_host, "train", ["method=mine"])


def test_a_pipe_among_the_presets_blocks_nothing(toy_host, desk):
    (desk / "conf" / "method").mkdir(parents=True)
    os.mkfifo(desk / "conf" / "method" / "mine.yaml")
    with pytest.raises(ConfigError, match="mine"):
        compose_jobs(toy_host, "train", ["method=mine"])


def test_a_preset_that_names_itself_is_an_error_in_words(toy_host, desk):
    preset = desk / "conf" / "method" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("defaults: [mine]\nrate: 1")
    with pytest.raises(ConfigError, match="cannot compose method=mine"):
        compose_jobs(toy_host, "train", ["method=mine"])


@pytest.mark.parametrize("word", ["name=${oc.env:NOWHERE}", "method.args.x=${oc.env:NOWHERE}", "recipe=mine"])
def test_a_variable_that_the_environment_lacks_is_named_with_what_to_type(toy_host, desk, word):
    preset = desk / "conf/recipe/mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("why: ${oc.env:NOWHERE}\nsteps: [{toy: {method: toy}}]\n")
    words = [word, "model=./model", *(["method=toy"] if word != "recipe=mine" else [])]
    with pytest.raises(ConfigError, match=r"no variable NOWHERE; type it first: export NOWHERE=\.\.\.$"):
        compose_jobs(toy_host, "train", words)


def test_a_preset_that_names_a_missing_one_is_refused_without_the_list_of_places(toy_host, desk):
    preset = desk / "conf/method/mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("defaults: [nowhere]")
    with pytest.raises(ConfigError, match=r"Could not load 'method/nowhere'; correct the defaults") as raised:
        compose_jobs(toy_host, "train", ["method=mine"])
    assert "provider=" not in str(raised.value)


def test_a_secret_of_the_environment_stays_a_reference_in_the_configuration(toy_host, desk, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "sk-0123456789")
    monkeypatch.setenv("MY_PLACE", "elsewhere")
    words = [
        "method=toy",
        "model=./model",
        "against=${oc.env:MY_API_KEY}",
        "out=${oc.env:MY_PLACE}",
        "method.args.x=sk-0123456789",
    ]
    (job,) = compose_jobs(toy_host, "train", words)
    assert job.config.against == "${oc.env:MY_API_KEY}"
    assert job.config.out == "elsewhere"
    assert job.config.method.args == {"x": "${oc.env:MY_API_KEY}"}
    assert "sk-0123456789" not in str(job)
    with hydra(toy_host, None):
        pass
