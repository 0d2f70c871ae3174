"""A misspelt sub-verb, choice or option of any verb is answered with the right one, and exit code 2."""

from __future__ import annotations

import argparse

import pytest

from ptx.cli import main
from ptx.cli.parser import Parser, SubParser

ASKED = {
    "runs lss": "ptx runs has no 'lss'; did you mean 'ls'?",
    "runs compare a b": "ptx runs has no 'compare'; known: ls, show, diff, tail",
    "runs ls --jsn": "ptx runs ls has no option '--jsn'; did you mean '--json'?",
    "runs ls a b": "ptx runs takes no further word, got b; see ptx runs --help",
    "runs --jsn ls": "ptx runs has no option '--jsn'",
    "store verfy": "ptx store has no 'verfy'; did you mean 'verify'?",
    "store gc --larger-then 1GB": "ptx store gc has no option '--larger-then'; did you mean '--larger-than'?",
    "data splt data=x": "ptx data has no 'splt'; did you mean 'split'?",
    "completion zhs": "ptx completion has no 'zhs'; did you mean 'zsh'?",
    "plugins new x --kind metod": "ptx plugins new --kind metod: no such value; did you mean 'method'?",
    "train --dryrun method=sft": "ptx train has no option '--dryrun'; did you mean '--dry-run'?",
    "train --cfg jbo": "ptx train --cfg jbo: no such value; did you mean 'job'?",
    "advise data=x --mesure=3": "ptx advise has no option '--mesure'; did you mean '--measure'?",
    "check data=x --htlm a": "ptx check has no option '--htlm'; did you mean '--html'?",
    "judge chek": "ptx judge has no 'chek'; did you mean 'check'?",
    "tiny biuld": "ptx tiny has no 'biuld'; did you mean 'build'?",
}


@pytest.mark.parametrize(("words", "said"), ASKED.items(), ids=ASKED)
def test_a_misspelt_word_is_answered_with_the_right_one(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"ptx: {said}")


def test_a_word_that_is_missing_is_asked_for_with_the_usage(capsys):
    with pytest.raises(SystemExit):
        main(["store"])
    said = capsys.readouterr().err
    assert said.startswith("usage: ptx store")
    assert "required: ls|why|verify|gc" in said


def test_every_parser_of_ptx_and_its_plugins_is_this_one(monkeypatch, capsys):
    """A verb that makes argparse's own parser would answer with its bare error."""
    from ptx.cli import VERBS
    from ptx.hooks.host import get_host

    def refused(self, *given, **options):
        assert isinstance(self, Parser) or options.get("add_help") is False, given
        real(self, *given, **options)

    real = argparse.ArgumentParser.__init__
    monkeypatch.setattr(argparse.ArgumentParser, "__init__", refused)
    added = [command.name for found in get_host().hook.ptx_commands() for command in found]
    for verb in [*VERBS, *added]:
        with pytest.raises(SystemExit) as ended:
            raise SystemExit(main([verb, "--help"]))
        assert not ended.value.code, verb
    capsys.readouterr()


def test_what_one_sub_verb_knows_is_not_offered_by_another(capsys):
    parser = Parser("ptx x")
    actions = parser.add_subparsers(dest="action")
    actions.add_parser("tail").add_argument("--follow", action="store_true")
    other = actions.add_parser("ls")
    assert isinstance(other, SubParser)
    with pytest.raises(SystemExit):
        parser.parse_args(["ls", "--folow"])
    assert "--follow" not in capsys.readouterr().err
