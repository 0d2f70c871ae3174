"""What is sent to wandb: its mode, and the summary of a run."""

import json

from ptx_wandb import track
from tests.plugins.ptx_wandb.conftest import RESULT


def test_auto_is_offline_without_an_account_and_what_wandb_mode_says_otherwise(run, monkeypatch):
    assert track.mode_of("auto") == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert track.mode_of("auto") == "disabled"
    assert track.mode_of("online") == "online"


def test_the_summary_is_flat_and_holds_every_metric_with_its_interval():
    summary = track.summary_of(RESULT)
    assert summary["bench/acc"] == 0.5
    assert summary["bench/acc/skill=add/n"] == 8
    assert summary["steps/sft/key"] == "k1"
    assert json.loads(json.dumps(summary)) == summary
