from dataclasses import replace

import pytest

from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_perplexity import Perplexity, ptx_validate


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_perplexity")


def test_everything_wrong_is_found_at_once(chat_model, tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "rows.jsonl").write_text('{"words": "a"}\n')
    (tmp_path / "bytes.txt").write_bytes(bytes(range(256)))
    files = [
        str(tmp_path / name) for name in ("none.txt", "empty.txt", "rows.jsonl", "bytes.txt", "text.pdf")
    ]
    (tmp_path / "text.pdf").write_text("x")
    config = RunConfig(eval={"perplexity": Perplexity(files, window=9999)})
    whats = [problem.what for problem in ptx_validate(config, chat_model)]
    for part in (
        "no text",
        "holds no text",
        "has no column text",
        "neither UTF-8",
        "is none of",
        "more than the model's context of 256",
    ):
        assert any(part in what for what in whats), part
    assert len(whats) == 6


@pytest.mark.parametrize(
    "wrong", [{"block": 0}, {"window": 1}, {"overlap": 8, "window": 8}, {"separator": "("}]
)
def test_wrong_settings_say_what_to_type(wrong):
    with pytest.raises(ValueError, match="try "):
        replace(Perplexity(), **wrong)
