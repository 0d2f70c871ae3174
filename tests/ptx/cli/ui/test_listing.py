"""The list of sweeps."""

from __future__ import annotations

import shutil

from ptx.cli.ui.listing import Sweeps
from ptx.files import write_json
from ptx.store.locks import held
from tests.ptx.cli.ui.conftest import begin, finish


def test_every_sweep_has_a_line_that_is_sent_again_when_it_differs(root):
    sweeps = Sweeps(root, frozenset())
    sweeps.look()
    line = sweeps.news()["sweeps"]["first"]
    assert line["counts"] == {"runs": 4, "done": 2, "left": 2}
    assert line["models"] == ["m"]
    sweeps.look()
    assert sweeps.news() == {}
    finish(root / "runs" / "second" / "base")
    sweeps.look()
    assert list(sweeps.news()["sweeps"]) == ["second"]
    shutil.rmtree(root / "runs" / "second")
    sweeps.look()
    assert sweeps.news() == {"sweeps": {"second": None}}
    assert list(sweeps.everything()["sweeps"]) == ["first"]


def test_a_sweep_that_is_executed_says_what_it_does_now(root):
    sweeps = Sweeps(root, frozenset())
    sweeps.look()
    folder = root / "runs" / "first"
    with held(folder / "sweep.lock"):
        sweeps.look()
        assert sweeps.news()["sweeps"]["first"]["now"] == [["method=dpo", "dpo", "", None, None]]
        begin(folder / "kto", "kto")
        sweeps.look()
        assert len(sweeps.news()["sweeps"]["first"]["now"]) == 2
    sweeps.look()
    assert not sweeps.news()["sweeps"]["first"]["alive"]


def test_only_what_lies_below_the_root_has_a_name(root):
    sweeps = Sweeps(root / "runs" / "first", frozenset())
    assert sweeps.find(".") == root / "runs" / "first"
    for name in ("..", "../first", "/etc", "", "first", str(root)):
        assert sweeps.find(name) is None


def test_a_sweep_without_runs_is_listed(root):
    (root / "runs" / "empty").mkdir()
    write_json(root / "runs" / "empty" / "sweep.json", {"runs": ["a"], "command": "ptx train"})
    sweeps = Sweeps(root, frozenset())
    sweeps.look()
    assert sweeps.everything()["sweeps"]["empty"]["counts"] == {"runs": 1, "left": 1}
