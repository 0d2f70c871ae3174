"""The first half of the verbs that make something: their words composed, and what does not suit a verb."""

import subprocess
import sys

import pytest

from ptx.cli import main


def test_a_configuration_is_printed_without_what_only_a_run_needs(desk):
    code = (
        "import sys; from ptx.cli import main;"
        "main(['train', '--cfg', 'job', 'model=./model', 'data=./text.jsonl', 'method=sft']);"
        "later = {'torch', 'ptx.plan.forecast', 'ptx.report.building', 'ptx.cli.console'};"
        "print(sorted(later & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "\nseed: 0\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["train", "method=null"], "ptx train needs a method or a recipe"),
        (["make"], "ptx make needs a maker"),
        (["compress"], "ptx compress needs a compressor"),
        (["eval", "compress=[gptq]"], "ptx eval compresses nothing"),
        (["eval", "method=sft"], "ptx eval trains nothing"),
        (["compress", "compress=[gptq]", "make=sample"], "ptx compress makes no data"),
    ],
)
def test_a_step_that_does_not_suit_the_verb_is_named(desk, capsys, words, fault):
    assert main([words[0], "model=./model", "data=./text.jsonl", *words[1:]]) == 2
    assert fault in capsys.readouterr().err
