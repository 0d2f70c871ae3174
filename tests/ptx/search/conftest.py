"""Searches over a plugin with a known optimum (``bowl_plugin``), and what their tests read of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from ptx.errors import ConfigError
from ptx.search import Search, read_search
from ptx.testing import Silent

BOWL = Path(__file__).parents[2] / "bowl_plugin.py"
ROOT = Path(__file__).parents[3]
FIXED = ["name=study", "model=./model", "method=bowl", "eval=[gap]"]
SPACE = {"method.x": "interval(0, 1)", "method.y": "interval(0, 1)"}
GOAL = {"gap/mean": "minimize"}


@pytest.fixture
def host(toy, host_with):
    spec = importlib.util.spec_from_file_location("bowl_plugin", BOWL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["bowl_plugin"] = module
    spec.loader.exec_module(module)
    return host_with(toy=toy, bowl=module)


def search(host, *more, fixed=FIXED, console=None, **given):
    """A search of eight trials over the bowl; ``more`` are overrides, ``given`` fields of ``search:``."""
    given = {"trials": 8, "space": SPACE, "objectives": GOAL, **given}
    fixed = [*fixed, *more]
    return Search(
        host, "train", fixed, read_search(host, given, fixed), "ptx sweep study.yaml", console or Silent()
    )


def trained():
    """The points that were trained, one line each, in order."""
    return Path("trained.log").read_text().splitlines() if Path("trained.log").exists() else []


def value(trial, name="gap/mean"):
    """The value of a metric in a trial's record."""
    return trial["metrics"][name]["value"]


def problems(host, *more, **given):
    """What is wrong with a search, as one text; nothing may have been written."""
    with pytest.raises(ConfigError) as caught:
        search(host, *more, **given).check()
    assert not Path("ptx-out").exists()
    return str(caught.value)
