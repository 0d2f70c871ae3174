from __future__ import annotations

from pathlib import Path

import pytest

import ptx_tiny
from ptx import RunConfig
from ptx.hooks.host import load_host
from ptx.hooks.run import Run
from ptx.lm.load import load_tokenizer
from tests.plugins.conftest import Screen


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The folder of the model that ships with ptx."""
    return Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "step"
    folder.mkdir()
    host = load_host(tmp_path, {"PTX_DISABLE": ""})
    return Run(RunConfig(), host, Screen(), folder, folder / "events.jsonl", folder, 0, "cpu")
