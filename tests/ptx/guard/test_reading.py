"""Files of strangers: only regular ones, bounded, and every fault names the file."""

import json
import os

import pytest

from ptx.errors import ConfigError
from ptx.guard import reading
from ptx.guard.reading import (
    FileError,
    is_there,
    parse_json,
    read_json,
    read_object,
    read_text,
    reason,
    understood,
)


def test_a_pipe_a_device_and_a_folder_are_refused_without_reading_them(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path, kind in (
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "link", "a device"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(FileError, match=f"{path}: it is {kind}, not a file"):
            read_text(path)


def test_a_text_that_cannot_be_a_path_is_the_path_of_nothing(tmp_path):
    assert is_there(str(tmp_path))
    assert not any(map(is_there, ["x" * 5000, "a\0b", "~nobody-of-that-name/x", str(tmp_path / "no")]))


def test_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link") == "text"


def test_a_file_larger_than_its_kind_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    with pytest.raises(FileError, match="it has 9 bytes, more than the 8"):
        read_json(tmp_path / "a.json", most_bytes=8)


def test_other_bytes_are_named_with_their_place_and_a_byte_order_mark_is_dropped(tmp_path):
    (tmp_path / "a").write_bytes(b"ab\xff")
    with pytest.raises(FileError, match=r"not UTF-8 text .byte 2 is 0xff.; write it in UTF-8"):
        read_text(tmp_path / "a")
    (tmp_path / "a").write_text("x", encoding="utf-8-sig")
    assert read_text(tmp_path / "a") == "x"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 100_000, "deep"),
        ("[" * 70 + "]" * 70, "deep"),
        ("1" * 10_000, "a number in it cannot be read"),
        ('{"a": 1,\n}', "at line 2 column 1"),
        ("", "it is not JSON"),
    ],
)
def test_json_that_cannot_be_used_is_named_with_its_fault(text, fault):
    with pytest.raises(FileError, match=rf"a.json: .*{fault}"):
        parse_json(text, "a.json")


def test_json_of_usual_depth_and_many_brackets_is_read():
    value = [[[[1]]]] * 1000
    assert parse_json(json.dumps(value), "a") == value


def test_an_object_is_asked_for(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(FileError, match=r"config.json: it holds a list, not an object"):
        read_object(tmp_path / "config.json")


def test_a_file_error_is_an_error_of_the_command_and_a_value_error():
    assert issubclass(FileError, ConfigError)
    assert issubclass(FileError, ValueError)
    assert FileError("a", "b").exit_code == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("nope"), "there is no 'nope'"),
        (KeyError(), "a key is missing"),
        (PermissionError(13, "Permission denied", "/x"), "Permission denied (/x)"),
        (RecursionError("x"), "it refers to itself, or lies too deep"),
        (MemoryError(), "it needs more memory than there is"),
        (ValueError(), "ValueError"),
        (TypeError("a\nb"), "TypeError: a b"),
    ],
)
def test_no_exception_is_a_riddle(error, words):
    assert reason(error) == words


def test_whatever_is_raised_over_a_file_is_a_fault_of_the_file():
    with pytest.raises(FileError, match=r"a.json: there is no 'added_tokens'"), understood("a.json"):
        raise KeyError("added_tokens")


def test_a_missing_file_and_our_own_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError), understood("a"):
        reading.regular(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"^own$"), understood("a"):
        raise ConfigError("own")
