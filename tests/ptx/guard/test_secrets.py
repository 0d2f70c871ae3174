"""Secrets of the environment: found by the names of their variables, and written as references."""

import base64
import io
import json
import sys

import pytest

from ptx.guard.secrets import (
    Masking,
    is_secret,
    mask_file,
    masked,
    masked_inside,
    masked_output,
    resolved,
    resolved_inside,
    secrets,
)

VALUE = "sk-proj-0123456789abcdef"


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", VALUE)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "OPENAI_API_KEY",
            "HF_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "WANDB_API_KEY",
            "GITHUB_PAT",
        ),
        *("MYSQL_PWD", "SENTRY_DSN", "GOOGLE_CREDENTIALS", "KEY", "TOKEN2", "my_apikey", "BASIC_AUTH"),
    ],
)
def test_a_variable_is_a_secret_by_its_name(name):
    assert is_secret(name, "x")


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "PWD", "OLDPWD", "KEYBOARD", "MONKEY", "TOKENIZERS_PARALLELISM", "PTX_CACHE", "LANG"],
)
def test_other_variables_are_none(name):
    assert not is_secret(name, "x")


def test_a_path_that_exists_and_a_short_or_plain_word_are_no_secrets(tmp_path):
    environ = {"SSH_KEY": str(tmp_path), "A_TOKEN": "abc", "MAX_TOKENS": "4096000", "DB_PASSWORD": "postgres"}
    assert secrets(environ) == {}


def test_values_are_replaced_by_references_also_inside_and_as_json_and_html(monkeypatch):
    assert masked(f"Bearer {VALUE}!") == "Bearer ${oc.env:OPENAI_API_KEY}!"
    assert masked_inside({VALUE: [VALUE, 1]}) == {"${oc.env:OPENAI_API_KEY}": ["${oc.env:OPENAI_API_KEY}", 1]}
    monkeypatch.setenv("DB_PASSWORD", 'p"a<s>s\\1')
    for written in ('p"a<s>s\\1', 'p\\"a<s>s\\\\1', "p&quot;a&lt;s&gt;s\\1"):
        assert masked(written) == "${oc.env:DB_PASSWORD}"


def test_a_value_is_masked_in_an_address_and_in_json_inside_of_json(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", 'p "a"/s\\1')
    for written in (
        "p%20%22a%22%2Fs%5C1",
        "p+%22a%22%2Fs%5C1",
        json.dumps(json.dumps('p "a"/s\\1')[1:-1])[1:-1],
    ):
        assert masked(f"https://me:{written}@host") == "https://me:${oc.env:DB_PASSWORD}@host"


@pytest.mark.parametrize("before", ["", "u", "me:"])
@pytest.mark.parametrize("after", ["", "!", "}}", "\n"])
def test_a_value_is_masked_in_base64_wherever_it_begins(monkeypatch, before, after):
    value = "sk-~~~???0123456789abcdef"  # its base64 has + and /, which addresses write as - and _
    monkeypatch.setenv("OPENAI_API_KEY", value)
    for encoded in (base64.b64encode, base64.urlsafe_b64encode):
        text = masked(f"Basic {encoded(f'{before}{value}{after}'.encode()).decode()}")
        assert "${oc.env:OPENAI_API_KEY}" in text
        left = text.replace("${oc.env:OPENAI_API_KEY}", "").removeprefix("Basic ").rstrip("=")
        assert len(left) <= (len(before) + len(after)) * 4 / 3 + 3  # no more than what stands beside the key


def test_the_log_of_a_process_is_masked_and_else_left_as_it_is(tmp_path):
    log = tmp_path / "worker-0.log"
    log.write_bytes(f"a {VALUE} b\n".encode() + b"\xff\n")
    mask_file(log)
    assert log.read_bytes() == b"a ${oc.env:OPENAI_API_KEY} b\n\xff\n"
    mask_file(tmp_path / "none.log")
    assert not (tmp_path / "none.log").exists()


def test_a_reference_gives_the_value_only_where_it_is_resolved(monkeypatch):
    assert resolved("Bearer ${oc.env:OPENAI_API_KEY}") == f"Bearer {VALUE}"
    assert resolved_inside({"a": ["${oc.env:OPENAI_API_KEY}", 1]}) == {"a": [VALUE, 1]}
    monkeypatch.delenv("OPENAI_API_KEY")
    assert resolved("${oc.env:OPENAI_API_KEY}") == ""


def test_a_masking_stream_writes_no_secret_and_is_else_the_stream():
    inner = io.StringIO()
    stream = Masking(inner)
    assert stream.write(f"{VALUE}\n") == len(VALUE) + 1
    stream.writelines([VALUE])
    assert inner.getvalue() == "${oc.env:OPENAI_API_KEY}\n${oc.env:OPENAI_API_KEY}"
    assert stream.isatty() is False


def test_a_command_whose_output_the_shell_closed_writes_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with masked_output():
        print("a line")
    assert sys.stdout is None
