"""tracker=[mlflow] without its library: the plan says what to install."""

import ptx_mlflow
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_mlflow import Mlflow


def test_it_is_a_good_plugin():
    check_plugin("ptx_mlflow")


def test_the_library_that_is_missing_is_named_with_the_line_that_adds_it(monkeypatch):
    monkeypatch.setattr("ptx.hooks.tracking.find_spec", lambda _: None)
    [problem] = ptx_mlflow.ptx_validate(RunConfig(tracker={"mlflow": Mlflow()}))
    assert problem.fix == "pip install 'ptx[mlflow]'"
    assert ptx_mlflow.ptx_validate(RunConfig()) == []
