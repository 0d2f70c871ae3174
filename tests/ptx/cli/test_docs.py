"""The pages that a user of a wheel can read, and the messages that name them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ptx.cli import docs, main

ROOT = Path(__file__).parents[3]
#: what lies in the repository alone
FOLDERS = r"(?:docs|sweeps|benchmarks|tests|reports)/[\w-]+"


def test_every_page_is_listed_below_its_kind_and_shown_by_its_name(capsys):
    files = {file.stem: file for file in (ROOT / "docs").rglob("*.md")}
    assert len(files) == len(list((ROOT / "docs").rglob("*.md")))  # no name twice
    assert main(["docs"]) == 0
    listed = capsys.readouterr().out
    assert re.search(
        r"^I want to do one thing\n(?:  .*\n)*  search  +How to search for good settings$",
        listed,
        re.MULTILINE,
    )
    assert {line.split()[0] for line in listed.splitlines() if line.startswith("  ")} == files.keys()
    for name, file in files.items():
        assert main(["docs", name]) == 0
        assert capsys.readouterr().out == file.read_text()


def test_the_path_of_a_page_names_it_too(capsys):
    assert main(["docs", "docs/how-to/search.md"]) == 0
    assert capsys.readouterr().out.startswith("# How to search for good settings\n")


def test_a_misspelt_page_is_answered_with_the_right_one(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["docs", "serch"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ptx: ptx docs has no 'serch'; did you mean 'search'?\n"


def texts(file):
    """The text of a file that a user may see: of Python the strings that are no docstrings."""
    if file.suffix != ".py":
        return [file.read_text(encoding="utf-8")]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef)
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


def shown():
    for folder in ("ptx", "plugins", "conf"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".yaml", ".jinja") and "vendor" not in file.parts:
                yield from ((file, text) for text in texts(file))


def test_no_message_names_a_file_that_lies_in_the_repository_alone():
    named = [
        (file.name, found) for file, text in shown() for found in re.findall(rf"(?<![\w./]){FOLDERS}", text)
    ]
    allowed = {"tests/test_"}  # of the package that `ptx plugins new` writes
    assert [one for one in named if one[1] not in allowed] == []


def test_every_page_that_a_message_names_is_there():
    named = {page for _, text in shown() for page in re.findall(r"ptx docs ([\w-]+)", text)}
    assert {"other-environment", "search", "reliability", "safety"} <= named <= docs.pages().keys()
