"""The command `ptx tiny`: data, help, and what cannot be."""

from pathlib import Path

import pytest

from ptx_tiny import (
    ptx_commands,
)
from ptx_tiny.command import main


def test_the_command_writes_data_and_shows_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert [command.name for command in ptx_commands()] == ["tiny"]
    assert main(["data", "--out", str(tmp_path / "rows")]) == 0
    assert "wrote 6 shapes, held-out and general text, and 3 tasks" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "ptx tiny build --out ./m --seed 1" in capsys.readouterr().out
