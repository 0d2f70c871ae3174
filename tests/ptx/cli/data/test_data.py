"""ptx data: its verbs are listed, and another one is refused."""

import pytest

from ptx.cli import main
from ptx.cli.data import VERBS


def test_help_lists_the_verbs(capsys):
    with pytest.raises(SystemExit):
        main(["data", "--help"])
    said = capsys.readouterr().out
    assert all(verb in said for verb in VERBS)


def test_an_unknown_verb_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["data", "merge"])
    assert ended.value.code == 2
    assert "ptx data has no 'merge'; known: convert, split" in capsys.readouterr().err
