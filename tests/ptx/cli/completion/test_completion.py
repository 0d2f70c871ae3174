"""``ptx completion``: the scripts, in the shells that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ptx.cli import main


@pytest.fixture
def shell(tmp_path, capsys, monkeypatch):
    """``shell("bash", program)``: what a shell prints that has read its script and finds this ptx."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ptx").write_text(f'#!/bin/sh\nexec {sys.executable} -m ptx "$@"\n')
    (tmp_path / "bin" / "ptx").chmod(0o755)

    def run(name: str, program: str) -> list[str]:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
        assert main(["completion", name]) == 0
        script = tmp_path / f"ptx.{name}"
        script.write_text(capsys.readouterr().out)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [name, "-c", program.format(script=script)],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


ASK_BASH = """
source {script}
compopt() {{ echo "compopt $1 $2"; }}
COMP_LINE='LINE'; COMP_POINT=${{#COMP_LINE}}
_ptx; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_bash_gets_what_stands_behind_the_equals_sign(shell):
    assert shell("bash", ASK_BASH.replace("LINE'", "ptx train method=dp'")) == ["dpo"]
    assert shell("bash", ASK_BASH.replace("LINE'", "ptx train method=dpo method.bet'")) == [
        "compopt -o nospace",
        "method.beta=",
    ]


def test_fish_gets_whole_words_and_what_they_are(shell):
    lines = shell("fish", "source {script}; complete -C 'ptx train method=dp'")
    assert [line.split("\t")[0] for line in lines] == ["method=dpo"]


def test_zsh_reads_its_script(shell):
    program = "autoload -Uz compinit; compinit -u; source {script}; print ${{_comps[ptx]}}"
    assert shell("zsh", program) == ["_ptx"]


def test_the_words_are_printed_with_what_they_are(capsys):
    assert main(["completion", "words", "--", "train", "method=dp"]) == 0
    assert capsys.readouterr().out == "method=dpo\tpreference training on pairs of answers\n"


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "csh"])
    assert ended.value.code == 2
    assert "ptx completion has no 'csh'; did you mean 'zsh'?" in capsys.readouterr().err
