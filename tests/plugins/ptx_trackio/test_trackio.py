"""tracker=[trackio] without its library: the plan says what to install."""

import ptx_trackio
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_trackio import Trackio


def test_it_is_a_good_plugin():
    check_plugin("ptx_trackio")


def test_the_library_that_is_missing_is_named_with_the_line_that_adds_it(monkeypatch):
    monkeypatch.setattr("ptx.hooks.tracking.find_spec", lambda _: None)
    [problem] = ptx_trackio.ptx_validate(RunConfig(tracker={"trackio": Trackio()}))
    assert problem.fix == "pip install 'ptx[trackio]'"
    assert ptx_trackio.ptx_validate(RunConfig()) == []
