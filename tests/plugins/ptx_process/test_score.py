"""Folders that are no process reward model."""

import pytest

from ptx import StepError
from ptx_process.score import load


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(StepError, match="no process reward model could be read"):
        load(tmp_path, "cpu")
