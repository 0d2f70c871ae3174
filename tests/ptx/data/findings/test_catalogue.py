"""The catalogue of findings: each says what comes of it, and names what is looked for somewhere."""

import re
from pathlib import Path

import ptx.cli.check
import ptx.data
import ptx.models
import ptx.plan
from ptx.data.findings.catalogue import CATALOGUE, waivable

FILES = [
    file
    for package in (ptx.data, ptx.plan, ptx.models, ptx.cli.check)
    for file in Path(package.__file__).parent.rglob("*.py")
    if file.name != "catalogue.py"
]


def test_every_finding_of_the_catalogue_is_looked_for_somewhere():
    sources = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    assert [name for name in CATALOGUE if f'"{name}"' not in sources] == []


def test_every_name_that_is_given_to_a_finding_stands_in_the_catalogue():
    given = set()
    for file in FILES:
        source = file.read_text(encoding="utf-8")
        given |= set(re.findall(r"(?:Sign|Told|finding|of_all)\(\s*\"([a-z-]+)\"", source))
        given |= set(re.findall(r"name=\"([a-z-]+)\"", source))
    assert given <= {*CATALOGUE}


def test_rows_that_cannot_be_trained_cannot_be_waived():
    assert waivable("identical-sides")
    assert not waivable("unreadable")
    assert not waivable("no-such-finding")


def test_every_finding_says_what_comes_of_it():
    assert all(kind.why and not kind.why.endswith(".") for kind in CATALOGUE.values())
