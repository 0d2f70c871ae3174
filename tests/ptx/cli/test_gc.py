"""``ptx store gc``: what it deletes, what it keeps, and that it deletes nothing without ``--yes``."""

from __future__ import annotations

import json
import os
import shutil
import time

from ptx.cli.gc import Conditions, select
from ptx.files import read_json
from ptx.store import locks
from ptx.store.store import Store
from tests.ptx.cli.conftest import STORE, entry_of, flip, result_of, use


def test_gc_shows_what_would_go_and_deletes_only_when_told_to(sweep, ptx):
    plan, *_ = sweep("compress=[halve]")
    train = plan.runs[1].steps[0]
    use(train, 40)
    code, out, _ = ptx("store", "gc", "--older-than", "30d")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines()[:-1]] == ["toy"]
    assert "unused for 40 d" in out
    assert "would delete 1 entry" in out
    assert entry_of(train).is_dir()
    assert "deleted 1 entry" in ptx("store", "gc", "--older-than", "30d", "--yes")[1]
    assert not entry_of(train).exists()
    assert not list((STORE / "staging").glob("*"))
    assert result_of(plan)["status"] == "done"


def test_gc_takes_what_no_run_of_the_named_sweeps_asks_for(sweep, ptx):
    kept, *_ = sweep("method.rate=0.1", "name=keep")
    gone, *_ = sweep("method.rate=0.2", "name=drop")
    out = ptx("store", "gc", "--unreachable-from", "keep", "--yes")[1]
    assert "deleted 2 entries" in out
    assert entry_of(kept.runs[1].steps[0]).is_dir()
    assert entry_of(kept.runs[1].evaluations[0]).is_dir()
    assert not entry_of(gone.runs[1].steps[0]).exists()


def test_gc_deletes_the_least_recently_used_until_the_rest_fits(sweep, ptx):
    plan, *_ = sweep("method.rate=0.1,0.2,0.3", "eval=[]", "baseline=false")
    steps = [run.steps[0] for run in plan.runs]
    for days, step in zip((1, 3, 2), steps, strict=True):
        use(step, days)
    size = {entry.key: entry.bytes for entry in Store(STORE).entries()}
    ptx("store", "gc", "--keep-size", f"{size[steps[0].key] + size[steps[2].key]}", "--yes")
    assert [entry_of(step).is_dir() for step in steps] == [True, False, True]


def test_conditions_of_gc_add_up(sweep, ptx):
    plan, *_ = sweep("compress=[halve]")
    for step in plan.runs[1].steps:
        use(step, 40)
    big = plan.runs[1].steps[1]
    (entry_of(big) / "payload" / "ballast").write_bytes(b"x" * 10_000)
    ptx("store", "gc", "--older-than", "30d", "--larger-than", "10kB", "--yes")
    assert [entry_of(step).is_dir() for step in plan.runs[1].steps] == [True, False]


def test_gc_spares_what_is_being_built_and_what_it_is_built_from(sweep, ptx):
    plan, *_ = sweep("compress=[halve,round]", "name=a")
    first, second, third = plan.runs[1].steps
    shutil.rmtree(entry_of(third))
    with locks.held(STORE / "locks" / third.key):
        note = STORE / "staging" / third.key / "me" / "identity.json"
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps({"kind": "steps", "ingredients": third.identity.ingredients}))
        out = ptx("store", "gc", "--keep-size", "0", "--staging", "--yes")[1]
    assert f"kept: steps {second.key[:12]} is needed by process {os.getpid()}" in out
    assert [entry_of(step).is_dir() for step in (first, second)] == [True, True]
    assert note.exists()
    assert not entry_of(plan.runs[0].evaluations[0]).exists()


def test_gc_spares_what_a_sweep_under_way_asks_for(sweep, ptx):
    plan, *_ = sweep("seed=0,1", "name=a")
    for run in plan.runs[1:]:
        (plan.folder / run.id / "result.json").unlink()
    (plan.folder / plan.runs[2].id / "events.jsonl").unlink()  # it has not begun
    assert "is needed by the running sweep a" in ptx("store", "gc", "--keep-size", "0", "--yes")[1]
    assert all(entry_of(run.steps[0]).is_dir() for run in plan.runs[1:])
    long_ago = time.time() - 3600
    os.utime(plan.folder / plan.runs[1].id / "events.jsonl", (long_ago, long_ago))
    ptx("store", "gc", "--keep-size", "0", "--yes")
    assert not any(entry_of(run.steps[0]).is_dir() for run in plan.runs[1:])


def test_gc_keeps_the_base_of_an_adapter_that_stays(sweep, ptx):
    plan, *_ = sweep("compress=[halve]")
    base, adapter = plan.runs[1].steps
    record = read_json(entry_of(adapter) / "entry.json")
    record["meta"]["kind"] = "adapter"
    (entry_of(adapter) / "entry.json").write_text(json.dumps(record))
    use(base, 40)
    out = ptx("store", "gc", "--older-than", "30d", "--yes")[1]
    assert "is needed by an adapter that stays" in out
    assert entry_of(base).is_dir()


def test_gc_removes_quarantine_and_dead_work_only_when_asked(sweep, ptx):
    plan, *_ = sweep()
    step = plan.runs[1].steps[0]
    flip(entry_of(step) / "payload" / "model" / "model.safetensors")
    ptx("store", "verify", "--repair")
    (STORE / "staging" / ("0" * 64) / "x").mkdir(parents=True)
    (STORE / "locks" / ("1" * 64)).write_text("not a lock")
    assert "1 in quarantine, 2 left by killed processes" in ptx("store", "ls")[1]
    ptx("store", "gc", "--older-than", "1d", "--yes")
    assert (STORE / "quarantine" / step.key).is_dir()
    assert "deleted 0 entries and 3 leftovers" in ptx("store", "gc", "--quarantine", "--staging", "--yes")[1]
    assert not list((STORE / "quarantine").iterdir())
    assert not list((STORE / "staging").iterdir())
    assert not list((STORE / "locks").iterdir())


def test_gc_without_a_condition_deletes_nothing_and_says_what_to_type(sweep, ptx):
    sweep()
    code, _, err = ptx("store", "gc", "--yes")
    assert code == 2
    assert "no condition says what to delete" in err


def test_a_run_after_gc_builds_again_what_it_needs(sweep, ptx, toy):
    plan, *_ = sweep("name=a")
    before = result_of(plan)["metrics"]
    ptx("store", "gc", "--keep-size", "0", "--yes")
    plan, outcome, _ = sweep("name=b")
    assert outcome.done == 2
    assert result_of(plan)["metrics"] == before


def test_a_condition_of_gc_holds_only_beyond_its_bound(sweep):
    plan, *_ = sweep("baseline=false", "eval=[]")
    step = plan.runs[0].steps[0]
    (entry,) = Store(STORE).entries()
    use(step, 2)
    (entry,) = Store(STORE).entries()
    for conditions, deleted in (
        (Conditions(), []),
        (Conditions(older_than=86400.0), [entry.key]),
        (Conditions(older_than=3 * 86400.0), []),
        (Conditions(larger_than=entry.bytes), []),
        (Conditions(larger_than=entry.bytes - 1), [entry.key]),
        (Conditions(reachable=frozenset({entry.key})), []),
        (Conditions(reachable=frozenset()), [entry.key]),
    ):
        assert [one.key for one in select([entry], conditions, {}).deleted] == deleted
    used = select([entry], Conditions(reachable=frozenset()), {entry.key: "somebody"})
    assert (used.deleted, used.kept) == ([], [(entry, "somebody")])
