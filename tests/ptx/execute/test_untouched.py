"""A step that writes into its input is refused, and the files are named."""

from __future__ import annotations

import pytest

from ptx.errors import StepError
from ptx.execute.untouched import untouched


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new.txt").write_text("x"),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "config.json").write_text("{ }"),
    ],
    ids=["added", "removed", "written"],
)
def test_any_change_of_the_input_fails_the_step_by_name(tmp_path, change):
    (tmp_path / "config.json").write_text("{}")
    said = r"plugin mine changed its input: (new.txt|config.json) in .*run.folder"
    with pytest.raises(StepError, match=said), untouched(tmp_path, "mine"):
        change(tmp_path)


def test_reading_is_fine(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with untouched(tmp_path, "mine"):
        assert (tmp_path / "config.json").read_text() == "{}"
