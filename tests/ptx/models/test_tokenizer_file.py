"""tokenizer.json as ptx counts tokens with it."""

import json

import pytest

from ptx.cli import main
from ptx.models.tokenizer_file import open_tokenizer
from tests.conftest import TOKENIZER


def test_a_text_is_neither_cut_nor_filled_up_whatever_the_file_says(tmp_path):
    described = json.loads(TOKENIZER)
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(described | {"truncation": cut}))
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer is not None
    assert tokenizer.truncation is None


def test_a_folder_may_have_a_tokenizer_of_another_kind(tmp_path):
    assert open_tokenizer(tmp_path) is None


BPE = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
SUBWORDS = {"type": "BPE", "vocab": {"a": 0, "##b": 1, "ab": 2}, "merges": [["a", "##b"]]}


def test_merges_that_lack_the_prefix_are_refused_before_the_library_ends_the_process(tmp_path):
    described = json.loads(TOKENIZER)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(described | {"model": BPE | {"continuing_subword_prefix": "x" * 10_000}}))
    with pytest.raises(ValueError, match="the merge into 'b' lacks the continuing_subword_prefix 'xxx"):
        open_tokenizer(tmp_path)
    right = (BPE, BPE | {"continuing_subword_prefix": ""}, SUBWORDS | {"continuing_subword_prefix": "##"})
    for model in right:
        file.write_text(json.dumps(described | {"model": model}))
        assert open_tokenizer(tmp_path).encode("ab").tokens == ["ab"]


@pytest.mark.parametrize("text", ["{}", '{"model": {"type": "none"}}', TOKENIZER.replace("0}", '"0"}')])
def test_a_file_that_holds_no_tokenizer_is_named_before_any_weight_is_loaded(desk, capsys, text):
    (desk / "model" / "tokenizer.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        open_tokenizer(desk / "model")
    for words in (["check", "model=./model"], ["eval", "model=./model", "--dry-run"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "model/tokenizer.json cannot be read as a tokenizer: " in said
        assert "download it again" in said
