"""tracker=[tensorboard] without its library: the plan says what to install."""

import ptx_tensorboard
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_tensorboard import Tensorboard


def test_it_is_a_good_plugin():
    check_plugin("ptx_tensorboard")


def test_the_library_that_is_missing_is_named_with_the_line_that_adds_it(monkeypatch):
    monkeypatch.setattr("ptx.hooks.tracking.find_spec", lambda _: None)
    [problem] = ptx_tensorboard.ptx_validate(RunConfig(tracker={"tensorboard": Tensorboard()}))
    assert problem.fix == "pip install 'ptx[tensorboard]'"
    assert ptx_tensorboard.ptx_validate(RunConfig()) == []
