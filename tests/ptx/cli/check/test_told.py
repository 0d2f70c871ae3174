"""What the check tells: each finding once, with its consequence and its fix; nothing that is allowed."""

from ptx.cli.check.told import Told, as_data, lines_of
from ptx.errors import Problem

NOTE = Problem("line 3: is it so", "mend it", name="one-reply", rows=2, places=("file a line 3",))


def test_a_note_is_printed_once_with_its_name_its_consequence_and_its_fix(capsys):
    told = Told([])
    assert told.found([NOTE])
    assert told.found([NOTE])
    first, second = capsys.readouterr().out.splitlines()
    assert first.strip() == "! [one-reply] line 3: is it so"
    assert second.strip() == "the model learns to say this to everything; mend it"


def test_what_is_allowed_is_not_told():
    told = Told(["one-reply"])
    assert not told.found([NOTE], stops=True)
    assert told.facts() == {"usable": True, "findings": [], "allowed": ["one-reply"]}


def test_a_finding_as_data_has_all_that_is_known_of_it():
    assert as_data(NOTE, stops=True) == {
        "name": "one-reply",
        "severity": "stops",
        "what": "line 3: is it so",
        "rows": 2,
        "places": ["file a line 3"],
        "consequence": "the model learns to say this to everything",
        "fix": "mend it",
        "waivable": True,
    }
    assert lines_of(Problem("the plugin says so")) == ["    ! the plugin says so"]


def test_facts_of_one_name_are_put_together(capsys):
    told = Told([], quiet=True)
    told.say("nothing")
    told.fact("pairs", {"rows": 2})
    told.fact("pairs", {"tokens": "few"})
    assert told.facts()["pairs"] == {"rows": 2, "tokens": "few"}
    assert capsys.readouterr().out == ""
