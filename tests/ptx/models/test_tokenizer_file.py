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
