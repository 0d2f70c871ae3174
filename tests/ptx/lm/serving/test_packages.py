"""A model beside the run's own is closed after its use, also when that fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ptx import ModelRef
from ptx.lm.serving.packages import opened, weights


def test_a_model_is_closed_after_its_use(tmp_path):
    closed = []
    lm = SimpleNamespace(close=lambda: closed.append(True))
    runtime = SimpleNamespace(exports=False)
    run = SimpleNamespace(config=SimpleNamespace(runtime=runtime), load=lambda model: lm)
    with pytest.raises(KeyError, match="True"), opened(run, ModelRef(tmp_path)) as found:
        raise KeyError(found is lm)
    assert closed == [True]


def test_equal_folders_have_equal_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert weights(ModelRef(tmp_path)) == weights(ModelRef.of(tmp_path))
