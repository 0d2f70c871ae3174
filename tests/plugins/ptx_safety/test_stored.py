import json

import pytest

from ptx_safety.stored import read_stored


def test_stored_replies_are_read_with_what_they_say_about_themselves(tmp_path):
    rows = [
        {"prompt": "A", "response": "x"},
        {"prompt": "B", "completion": "y", "harmful": False, "wrapper": "w", "category": "c"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = read_stored(tmp_path / "a.jsonl")
    assert (first[0].harmful, first[1:]) == (True, ("", "x"))
    assert (second[0].harmful, second[0].segments, second[1:]) == (False, {"category": "c"}, ("w", "y"))
    (tmp_path / "b.jsonl").write_text('{"prompt": "A"}\n')
    with pytest.raises(ValueError, match=r"b.jsonl:1: a stored reply needs the columns prompt and response"):
        read_stored(tmp_path / "b.jsonl")
