"""One rule for every name that becomes a folder or a file."""

import pytest

from ptx.errors import ConfigError
from ptx.guard.names import fault_of, must_be_a_name, name_problem

BAD = [
    *(
        "",
        " ",
        ".",
        "..",
        "../x",
        "/abs/x",
        "a/b",
        "a\\b",
        ".hidden",
        "-rf",
        "a.",
        "a ",
        " a",
        "x\0y",
        "a\nb",
    ),
    *(
        "a\x1b[31mb",
        "a\u202eb",
        "\ud800",
        "x" * 300,
        "ä" * 70,
        "CON",
        "nul.txt",
        "com1",
        "C:x",
        "a*b",
        "$HOME",
    ),
    *("`id`", "${oc.env:HOME}", None, 3, ["a"]),
]


@pytest.mark.parametrize("name", BAD, ids=lambda name: repr(name)[:20])
def test_a_name_that_leaves_its_place_or_cannot_be_one_is_refused(name):
    with pytest.raises(ConfigError, match=r"name must be the name of a file or folder, got .*; "):
        must_be_a_name("name", name)


@pytest.mark.parametrize(
    "name", ["a", "my run", "größe", "模型", "a.b-c_d", "v1.0", "console", "x" * 120, "a+b", "r=8"]
)
def test_a_good_name_is_kept(name):
    assert must_be_a_name("name", name) == name
    assert name_problem("name", name) is None


def test_a_name_that_holds_a_secret_is_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "sk-123456789")
    with pytest.raises(ConfigError) as caught:
        must_be_a_name("name", "run-sk-123456789")
    assert "sk-123456789" not in str(caught.value)
    assert fault_of("run-sk-123456789") == "it holds a secret of the environment"
