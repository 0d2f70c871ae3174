"""A run whose wandb is offline."""

import pytest

import ptx_wandb
from ptx_wandb import Wandb
from tests.plugins.trackers import run_with


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run under the real plugin manager, with wandb kept away from any account."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return run_with(tmp_path, ptx_wandb, wandb=Wandb(mode="offline"))
