"""Recorded replies, as texts and as calls that an API has read."""

import pytest

from ptx import ConfigError
from ptx.models.call_ways import Call, UnreadableCallError
from ptx_tools.recorded import calls_of, read_recorded


def test_a_result_is_a_text_or_calls():
    assert calls_of("[f(a=1)]", []) == [Call("f", {"a": 1})]
    assert calls_of([{"f": '{"a": 1}'}, {"g": {}}], []) == [Call("f", {"a": 1}), Call("g", {})]
    assert calls_of("I cannot.", []) == []
    with pytest.raises(UnreadableCallError):
        calls_of([{"f": "a=1"}], [])


def test_other_columns_are_refused_with_the_line(tmp_path):
    file = tmp_path / "replies.jsonl"
    file.write_text('{"id": "a", "result": "x"}\n{"id": "b", "text": "y"}\n')
    with pytest.raises(ConfigError, match="line 2: a recorded reply must have id and result"):
        read_recorded(file)
    with pytest.raises(ConfigError, match="no file"):
        read_recorded(tmp_path / "none.jsonl")
