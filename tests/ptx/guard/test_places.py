"""The word that lets a file be written elsewhere is that of the place where it lies."""

import pytest

from ptx.guard.places import OUT, elsewhere


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/data/ptx-out/store/steps/x", OUT),
        ("relative/x", OUT),
        ("while writing", OUT),
        ("/home/me/.cache/ptx/tiny-1/x", "PTX_CACHE=/another/disk/ptx-cache"),
        ("/home/me/.cache/huggingface/hub/x", "HF_HOME=/another/disk/huggingface"),
        ("/tmp/ptx-scratch-abc/wandb/x", "TMPDIR=/another/disk"),
    ],
)
def test_the_word_is_that_of_the_place(monkeypatch, path, word):
    for name in ("PTX_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    assert elsewhere(path) == word


def test_a_folder_that_a_variable_names_is_found_too(monkeypatch):
    monkeypatch.setenv("PTX_CACHE", "/data/mine")
    monkeypatch.setenv("HF_HOME", "/data/hf")
    assert elsewhere("/data/mine/x") == "PTX_CACHE=/another/disk/ptx-cache"
    assert elsewhere("/data/hf/x") == "HF_HOME=/another/disk/huggingface"
    assert elsewhere("/data/x", "") == ""


def test_a_user_without_a_home_is_told_of_the_output_folder(monkeypatch):
    for name in ("PTX_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("ptx.guard.places.Path.home", nobody)
    assert elsewhere("/data/x") == OUT
