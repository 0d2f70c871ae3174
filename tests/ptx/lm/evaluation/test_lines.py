"""Files of BFCL with one line and with several."""

import json

import pytest

from ptx import ConfigError
from ptx.lm.evaluation.lines import records_of


def test_one_line_and_several_are_read_alike(tmp_path):
    row = {"id": "a", "question": [[]], "function": [{"name": "f"}]}
    for number in (1, 2):
        file = tmp_path / f"{number}.json"
        file.write_text("".join(json.dumps(row) + "\n" for _ in range(number)))
        assert [one.row for one in records_of(file)] == [row] * number


def test_a_line_that_is_no_json_is_named(tmp_path):
    file = tmp_path / "broken.json"
    file.write_text('{"id": "a", "result": "x"}\n{"id": \n')
    with pytest.raises(ConfigError, match=r"broken\.json"):
        records_of(file)
