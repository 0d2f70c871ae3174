"""``ptx store``, and what becomes of sweeps when the store, the disk or the record is damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ptx import hookimpl
from ptx.files import read_rows
from ptx.store import locks
from tests.ptx.cli.conftest import STORE, entry_of, flip, result_of, use

# ls


def test_ls_shows_each_entry_with_its_key_choice_size_and_the_sweeps_that_use_it(sweep, ptx):
    plan, *_ = sweep("compress=[],[halve]", "name=mine")
    code, out, _ = ptx("store", "ls")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    toy = next(row for row in rows if plan.runs[1].steps[0].key.startswith(row[1]))
    assert toy[0::2][:2] == ["steps", "toy"]
    assert toy[-3:] == ["mine", "(2", "runs)"]
    assert out.splitlines()[-1].startswith("5 entries, ")


def test_ls_json_holds_whole_keys_and_the_runs_that_need_them(sweep, ptx):
    plan, *_ = sweep("compress=[],[halve]", "name=mine")
    code, out, _ = ptx("store", "ls", "--kind", "steps", "--json")
    listed = {one["choice"]: one for one in json.loads(out)}
    toy, halve = plan.runs[2].steps
    assert code == 0
    assert (listed["toy"]["key"], listed["halve"]["key"]) == (toy.key, halve.key)
    assert len(listed["toy"]["runs"]) == 2
    assert listed["halve"]["runs"] == [f"mine/{plan.runs[2].id}"]
    assert listed["toy"]["bytes"] > 0


def test_ls_is_sorted_by_last_use_or_by_size_and_limited_to_a_kind(sweep, ptx):
    plan, *_ = sweep("compress=[halve]")
    train, halve = plan.runs[1].steps
    use(train, 3)
    (entry_of(halve) / "payload" / "ballast").write_bytes(b"x" * 10_000)
    _, out, _ = ptx("store", "ls", "--kind", "steps")
    assert [line.split()[2] for line in out.splitlines()[1:3]] == ["halve", "toy"]
    assert "3 d ago" in out
    use(train, 0)
    use(halve, 3)
    assert [line.split()[2] for line in ptx("store", "ls", "--kind", "steps")[1].splitlines()[1:3]] == [
        "toy",
        "halve",
    ]
    assert [
        line.split()[2]
        for line in ptx("store", "ls", "--kind", "steps", "--sort", "size")[1].splitlines()[1:3]
    ] == ["halve", "toy"]


def test_ls_where_there_is_no_store_says_what_to_type(ptx):
    code, _, err = ptx("store", "ls", "--out", "nowhere")
    assert code == 2
    assert "no store in nowhere; name the output folder of your runs: --out=OUT" in err


# verify, and what follows


def test_one_flipped_byte_is_found_by_verify_and_mended_by_the_next_run(sweep, ptx, toy):
    plan, *_ = sweep("compress=[halve]", "name=a")
    before = result_of(plan)["metrics"]
    train, halve = plan.runs[1].steps
    flip(entry_of(train) / "payload" / "model" / "model.safetensors")
    code, out, _ = ptx("store", "verify")
    assert code == 1
    assert (
        f"damaged: steps {train.key[:12]} (toy): model/model.safetensors has changed since it was written"
        in out
    )
    assert f"built from it, perhaps after the damage: {halve.key[:12]}" in out
    assert "--repair" in out
    assert entry_of(train).is_dir()
    code, out, _ = ptx("store", "verify", train.key[:8], "--repair")
    assert code == 1
    assert "the next run that needs them builds them again" in out
    assert not entry_of(train).exists()
    assert ptx("store", "verify")[0] == 0
    toy.calls.clear()
    plan, *_ = sweep("compress=[halve]", "name=b")
    assert toy.calls == ["train ToyMethod 0.1"]
    assert result_of(plan)["metrics"] == before
    assert ptx("store", "verify")[0] == 0


def test_verify_refuses_a_key_that_is_not_there(sweep, ptx):
    sweep()
    code, _, err = ptx("store", "verify", "0000000")
    assert code == 2
    assert "no key in the store begins with '0000000'" in err


def test_repair_leaves_alone_what_somebody_is_at(sweep, ptx):
    plan, *_ = sweep()
    step = plan.runs[1].steps[0]
    flip(entry_of(step) / "payload" / "model" / "model.safetensors")
    with locks.held(STORE / "locks" / step.key):
        out = ptx("store", "verify", "--repair")[1]
    assert f"not moved: process {os.getpid()}" in out
    assert entry_of(step).is_dir()


def test_a_damaged_entry_is_reported_to_the_user_and_in_the_record_and_built_again(sweep, toy):
    plan, *_ = sweep("name=a")
    step = plan.runs[1].steps[0]
    (entry_of(step) / "entry.json").write_text("{")
    plan, outcome, said = sweep("name=b")
    assert outcome.done == 2
    assert "toy: the entry in the store is damaged (entry.json is missing or cannot be read)" in said
    texts = [event.get("text", "") for event in read_rows(plan.folder / plan.runs[1].id / "events.jsonl")]
    assert any("is damaged" in text and "built again" in text for text in texts)
    assert toy.calls.count("train ToyMethod 0.1") == 2


@pytest.mark.parametrize(("name", "keep"), [("result.json", 100), ("result.json", 0), ("run.json", 100)])
def test_a_record_that_was_cut_short_is_explained_and_made_again_from_the_store(sweep, toy, name, keep):
    plan, *_ = sweep("compress=[halve]", "seed=0,1", "name=a")
    before = [result_of(plan, position)["metrics"] for position in range(3)]
    path = plan.folder / plan.runs[1].id / name
    path.write_bytes(path.read_bytes()[:keep])
    toy.calls.clear()
    plan, outcome, said = sweep("compress=[halve]", "seed=0,1", "name=a")
    assert f"{plan.runs[1].id}: {name} is damaged" in said
    assert (outcome.done, outcome.kept) == (1, 2)
    assert toy.calls == []
    assert [result_of(plan, position)["metrics"] for position in range(3)] == before


def test_the_stale_lock_of_a_dead_process_is_explained_and_taken_over(sweep, toy, desk):
    planned, *_ = sweep("name=a")
    step = planned.runs[1].steps[0]
    shutil.rmtree(entry_of(step))
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    lock = STORE / "locks" / step.key
    lock.mkdir()
    (lock / locks.FIRST).write_text(
        json.dumps({"host": "here", **locks._this_process(), "pid": dead.pid, "started": "1", "token": "x"})
    )
    half = STORE / "staging" / step.key / "x" / "entry" / "payload"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_text("half")
    _, outcome, said = sweep("name=b")
    assert outcome.done == 2
    assert f"toy: took over from process {dead.pid} on here, which ended without finishing" in said
    assert not list((STORE / "staging").iterdir())
    assert not list((STORE / "locks").iterdir())


class Filler:
    """Fills the disk during a training: in the step's own folder, or in a file elsewhere, which stays."""

    @hookimpl(wrapper=True)
    def ptx_train(self, run, method):
        if method.args.get("big"):
            (run.folder / "big").write_bytes(b"x" * method.args["big"])
        return (yield)

    @hookimpl(wrapper=True)
    def ptx_run(self, run):
        ballast = run.config.method and run.config.method.args.get("elsewhere")
        result = yield
        if ballast:
            with suppress(OSError), Path(ballast).open("wb", buffering=0) as file:
                while file.write(b"x" * 65536) == 65536:
                    pass
        return result


def test_a_disk_that_fills_up_fails_its_run_only_and_leaves_nothing_half_written(
    sweep, ptx, toy, host_with, desk, as_root
):
    (desk / "small").mkdir()
    as_root("-t", "tmpfs", "-o", "size=2m", "tmpfs", desk / "small")
    words = ["out=small/out", "method.args.big=5000000,0", "name=a"]
    plan, outcome, _ = sweep(*words, host=host_with(toy=toy, filler=Filler()))
    assert outcome.done == 2
    assert [message for _, message in outcome.failed] == [result_of(plan, 1)["error"]["message"]]
    assert "no space left on the disk" in outcome.failed[0][1]
    assert "out=/another/disk" in outcome.failed[0][1]
    assert not list(Path("small/out/store/staging").iterdir())
    assert ptx("store", "verify", "--out", "small/out")[0] == 0


def test_a_disk_too_full_for_the_record_is_explained_and_the_same_command_goes_on_later(
    sweep, toy, host_with, desk, as_root
):
    (desk / "small").mkdir()
    as_root("-t", "tmpfs", "-o", "size=2m", "tmpfs", desk / "small")
    words = ["out=small/out", "method.args.elsewhere=small/ballast", "name=a"]
    plan, outcome, _ = sweep(*words, host=host_with(toy=toy, filler=Filler()))
    assert "result.json cannot be written: no space left on the disk" in outcome.failed[0][1]
    (desk / "small" / "ballast").unlink()
    plan, outcome, _ = sweep(*words)
    assert (outcome.done, outcome.kept, outcome.failed) == (2, 0, ())
    assert result_of(plan)["status"] == "done"
    assert list(read_rows(plan.folder / plan.runs[1].id / "events.jsonl"))


def test_a_read_only_store_serves_its_entries_and_fails_only_the_runs_that_must_build(
    sweep, toy, desk, as_root
):
    sweep("method.rate=0.1", "name=a")
    as_root("--bind", STORE, STORE)
    as_root("-o", "remount,ro,bind", STORE)
    toy.calls.clear()
    plan, outcome, _ = sweep("method.rate=0.1,0.2", "name=b")
    assert toy.calls == []
    assert outcome.done == 2
    (run, message), *more = outcome.failed
    assert more == []
    assert run == plan.runs[2].id
    for part in ("toy", "must be built", str(desk / STORE), "cannot be written to", "out=/another/disk"):
        assert part in message
