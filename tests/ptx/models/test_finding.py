import shlex
from pathlib import Path

import pytest

from ptx.models.finding import Finding, mend_command, put, put_in_text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("folder", ["ptx", "mend", "./folder", "out=./folder-mended"]),
        ("../my model", ["ptx", "mend", "../my model", "out=./my model-mended"]),
        ("/data/a=b", ["ptx", "mend", "/data/a=b", "out=./a=b-mended"]),
    ],
)
def test_the_command_is_quoted_for_a_shell(path, words):
    assert shlex.split(mend_command(Path(path)).removeprefix("type: ")) == words


def test_a_finding_without_edits_says_what_to_do_instead():
    finding = Finding("two sizes", fix="correct one")
    assert str(finding.problem(Path("folder"))) == "folder: two sizes; correct one"


def test_edits_set_and_remove_keys_where_they_stand():
    held = {"a": 1, "b": 2, "text_config": {"a": 3}}
    put(a=None, b=5)(held)
    put_in_text(a=4)(held)
    assert held == {"b": 5, "text_config": {"a": 4}}
