"""What is sent to wandb: its mode, and the report of a sweep."""

import time

from ptx_wandb import Wandb, ptx_reported, track
from tests.plugins.trackers import report


def test_auto_is_offline_without_an_account_and_what_wandb_mode_says_otherwise(run, monkeypatch):
    assert track.mode_of("auto") == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert track.mode_of("auto") == "disabled"
    assert track.mode_of("online") == "online"


def test_the_report_of_a_sweep_is_a_run_with_the_table_and_the_files(run, tmp_path):
    run.config.tracker["wandb"] = Wandb(mode="offline")
    folder = report(tmp_path / "report")
    (folder / "quality-size.svg").write_text("<svg></svg>")
    ptx_reported(run.config, "grid", folder)
    (folder,) = (tmp_path / "out/wandb").glob("offline-run-*")
    (table,) = folder.rglob("runs*.table.json")
    assert '"accuracy"' in table.read_text()
    (picture,) = folder.rglob("quality-size*.html")
    assert "<svg></svg>" in picture.read_text()
    (sent,) = folder.glob("*.wandb")
    deadline = time.monotonic() + 120  # finish() may return before wandb's service has written the file
    while b"report-grid" not in sent.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
