import pytest

from ptx_reliability.formats import wrong_form, wrong_json

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ('{"answer": 3}', ""),
        ('```json\n{"answer": 3}\n```', ""),
        ('Here: {"answer": 3}', "not JSON"),
        ('{"answer": "3"}', "$.answer: '3' is not of type 'integer'"),
        ("{}", "'answer' is a required property"),
    ],
)
def test_json_is_checked_against_its_schema(reply, wrong):
    found = wrong_json(reply, SCHEMA)
    assert found == wrong == "" or (wrong and wrong in found)


def test_a_pattern_matches_the_whole_reply():
    assert wrong_form(" The answer is 3.\n", r"The answer is \d+\.") == ""
    assert wrong_form("Well. The answer is 3.", r"The answer is \d+\.")
