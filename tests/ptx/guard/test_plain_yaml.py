"""YAML of strangers: plain data only, and it ends."""

import pytest

from ptx.guard.plain_yaml import parse_yaml, read_yaml
from ptx.guard.reading import FileError

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB, "its aliases stand for 1,234,567,909 values"),
        ("a: &a [*a]", "line 1: a value contains itself"),
        ("a: &a {b: *a}", "line 1: a value contains itself"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"),
        ("x: !!python/object/apply:os.system [id]", "the tag .* is not allowed here"),
        ("x: !!python/name:os.system", "the tag .* is not allowed here"),
        ("x: !mine 1", "the tag '!mine' is not allowed here"),
        ("a: [", "it is not YAML: line [12]: "),
        ("a: 2020-99-99", "a value in it cannot be read: month"),
        ("[" * 100_000, "."),
        ("[" * 100 + "]" * 100, "deep"),
        ("a: \x00", "it is not YAML: (special|control) characters"),
        ("? [a]\n: 1", "line 1: found unhashable key"),
    ],
)
def test_yaml_that_cannot_be_used_is_named_with_its_fault(text, fault):
    with pytest.raises(FileError, match=rf"a.yaml: .*{fault}"):
        parse_yaml(text, "a.yaml")


def test_aliases_and_merge_keys_in_reason_are_read():
    text = "base: &b {r: 8}\none: {<<: *b, s: 1}\ntwo: {<<: *b, s: 2}"
    assert parse_yaml(text, "a") == {"base": {"r": 8}, "one": {"r": 8, "s": 1}, "two": {"r": 8, "s": 2}}


def test_an_empty_file_holds_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("# only a comment\n")
    assert read_yaml(tmp_path / "a.yaml") is None
