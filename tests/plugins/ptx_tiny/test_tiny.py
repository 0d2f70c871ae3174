"""The plugin itself: choices, resolution, commands."""

import subprocess
import sys
from pathlib import Path

import pytest

import ptx_tiny
from ptx_tiny import (
    FAMILIES,
    MODEL_FOLDER,
    TinyData,
    TinyModel,
    TinyPairs,
    ptx_choices,
    ptx_resolve,
)


def test_the_model_brings_its_own_data_and_every_family_is_a_choice():
    choices = {(choice.group, choice.name): choice for choice in ptx_choices()}
    assert choices["model", "tiny"].data == "tiny"
    assert {name for group, name in choices if group == "data"} == {*FAMILIES, "tiny_shop"}
    assert choices["model", "tiny_tools"].data == "tiny_shop"
    assert all(choice.help for choice in choices.values())


def test_the_model_resolves_to_the_packaged_folder(tmp_path: Path):
    assert ptx_resolve(TinyModel(), tmp_path) == MODEL_FOLDER
    assert not list(tmp_path.iterdir())


def test_data_is_written_once_and_found_again(tmp_path: Path):
    folder = ptx_resolve(TinyData(), tmp_path)
    stamp = (folder / "pairs.jsonl").stat().st_mtime_ns
    assert ptx_resolve(TinyData(), tmp_path) == folder
    assert (folder / "pairs.jsonl").stat().st_mtime_ns == stamp
    assert str(folder / "tasks") in (folder / "tasks" / "tiny_answers.yaml").read_text(encoding="utf-8")
    assert not list(folder.parent.glob(".*"))


def test_a_family_holds_its_one_shape_and_the_tasks(tmp_path: Path):
    folder = ptx_resolve(TinyPairs(), tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        "pairs.jsonl",
        "heldout.jsonl",
        "general.jsonl",
        "tasks",
    }


def test_an_interrupted_write_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ptx_tiny.data.write_tasks", broken)
    with pytest.raises(OSError, match="disk full"):
        ptx_resolve(TinyPairs(), tmp_path)
    monkeypatch.undo()
    assert (ptx_resolve(TinyPairs(), tmp_path) / "tasks" / "tiny_answers.yaml").is_file()


def test_what_is_not_ours_is_left_to_others(tmp_path: Path):
    assert ptx_resolve(object(), tmp_path) is None


def test_the_cache_name_changes_with_the_generators_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    before = ptx_tiny._generator_digest()
    (tmp_path / "corpus.py").write_text("other = 1\n")
    monkeypatch.setattr(ptx_tiny, "HERE", tmp_path)
    ptx_tiny._generator_digest.cache_clear()
    assert ptx_tiny._generator_digest() != before
    monkeypatch.undo()
    ptx_tiny._generator_digest.cache_clear()


def test_importing_the_plugin_and_writing_data_loads_no_ml_library(tmp_path: Path):
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; import ptx_tiny; from ptx_tiny.data import write_data; from"
        " pathlib import Path;write_data(Path(sys.argv[1])); print([m for m in ('torch', 'transformers',"
        " 'datasets', 'lm_eval') if m in sys.modules])"
    )
    roots = [str(ptx_tiny.HERE.parent), str(ptx_tiny.HERE.parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *roots], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
