"""``ptx sweep FILE`` for a file with a search: checked, run, continued and reported."""

from __future__ import annotations

import pytest

from ptx.cli import main
from ptx.files import read_json
from tests.ptx.cli.conftest import SEARCH, write_study

pytest.importorskip("optuna")


def test_a_search_runs_reports_and_names_the_best_trial(bowl_host, desk, capsys):
    write_study(search=SEARCH)
    assert main(["sweep", "study.yaml"]) == 0
    said = capsys.readouterr().out
    assert "search study: 3 trials by tpe over 1 axes; minimize gap/mean" in said
    assert "3 trials: 3 done, 0 stopped early, 0 failed" in said
    assert "best: trial" in said
    folder = desk / "ptx-out" / "runs" / "study"
    assert (folder / "report" / "report.html").exists()
    found = read_json(folder / "search.json")
    assert [trial["state"] for trial in found["trials"]] == ["done"] * 3


def test_words_after_the_file_continue_and_change_the_search(bowl_host, desk, capsys):
    write_study(search=SEARCH)
    assert main(["sweep", "study.yaml"]) == 0
    assert main(["sweep", "study.yaml", "search.trials=5", "search.sampler=random"]) == 0
    assert "3 of 5 trials were done already and are kept" in capsys.readouterr().out
    assert len(read_json(desk / "ptx-out" / "runs" / "study" / "search.json")["trials"]) == 5


def test_a_dry_run_of_a_search_checks_everything_and_writes_nothing(bowl_host, desk, capsys):
    before = set(desk.rglob("*"))
    write_study(
        search={
            **SEARCH,
            "gate": "compressed",
            "seeds": [0, 1],
            "early_stopping": {"metric": "loss", "first": 2},
        }
    )
    assert main(["sweep", "study.yaml", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "each under 2 seeds" in said
    assert "gate compressed: speed: latency/request_ratio at most 1.1" in said
    assert "the best 1/3 by loss continue at steps 2, 6, ..." in said
    assert set(desk.rglob("*")) - before == {desk / "study.yaml"}


def test_a_failed_trial_is_listed_and_the_exit_code_says_so(bowl_host, desk, capsys):
    write_study(search=SEARCH)
    assert main(["sweep", "study.yaml", "method.fail_above=0.0"]) == 1
    said = capsys.readouterr().out
    assert said.count("failed: trial") == 3
    assert "0 done, 0 stopped early, 3 failed" in said


def test_fail_fast_stops_a_search_at_the_first_failure(bowl_host, desk):
    write_study(search=SEARCH)
    assert main(["sweep", "study.yaml", "method.fail_above=0.0", "--fail-fast"]) == 1
    assert len(read_json(desk / "ptx-out" / "runs" / "study" / "search.json")["trials"]) == 1
