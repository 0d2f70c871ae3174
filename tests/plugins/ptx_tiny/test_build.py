"""Building the model: a small real build, the name of its tokenizer, and the swap of folders."""

import json
from pathlib import Path

import pytest

from ptx_tiny.build import name_tokenizer, swap
from ptx_tiny.command import main


@pytest.mark.parametrize("there", [True, False])
def test_the_staged_folder_takes_the_place_of_the_old_one(tmp_path: Path, there: bool):
    staging, out = tmp_path / ".model.1", tmp_path / "model"
    staging.mkdir()
    (staging / "new").touch()
    if there:
        out.mkdir()
        (out / "old").touch()
    swap(staging, out)
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_tokenizer_is_named_as_every_runtime_knows_it(tmp_path: Path):
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps({"tokenizer_class": "TokenizersBackend", "eos_token": "<|end|>"}))
    name_tokenizer(file)
    assert json.loads(file.read_text()) == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|end|>",
    }


@pytest.mark.slow
def test_a_build_of_two_steps_gives_a_loadable_folder_and_replaces_an_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from functools import partial

    from ptx_tiny import build, pretrain
    from ptx_tiny.evaluate import scores, scores_of_folder

    monkeypatch.setattr(build, "TOKENIZER_DOCUMENTS", 3_000)
    monkeypatch.setattr(pretrain, "BATCH", 4)
    monkeypatch.setattr(build, "scores", partial(scores, every=60))
    out = tmp_path / "model"
    out.mkdir()
    (out / "stale").touch()
    assert main(["build", "--out", str(out), "--steps", "2", "--threads", "1"]) == 0
    assert not (out / "stale").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert scores_of_folder(out, every=60)
