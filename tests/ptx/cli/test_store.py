"""``ptx store``, and what becomes of sweeps when the store, the disk or the record is damaged."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ptx import hookimpl
from ptx.cli.human import age_text, parse_age, parse_size, size_text
from ptx.files import read_json, read_rows
from ptx.store import locks
from ptx.store.store import Store

STORE = Path("ptx-out/store")


def result_of(plan, position=-1):
    return read_json(plan.folder / plan.runs[position].id / "result.json")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def entry_of(step):
    return STORE / step.identity.kind / step.key


def use(step, days):
    moment = time.time() - 86400 * days
    os.utime(entry_of(step) / "entry.sha256", (moment, moment))


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


# why


def test_why_of_a_run_names_the_field_that_made_it_miss_and_the_steps_that_hit(sweep, ptx):
    sweep("method.rate=0.1", "name=a")
    plan, *_ = sweep("method.rate=0.1,0.2", "compress=[halve]", "name=b")
    _, out, _ = ptx("store", "why", plan.runs[1].id)
    lines = [line.strip() for line in out.splitlines()]
    assert any(line.startswith("toy") and "hit: was in the store" in line for line in lines)
    assert any(
        line.startswith("halve") and "miss: was not in the store, this run built it" in line for line in lines
    )
    _, out, _ = ptx("store", "why", plan.runs[2].id)
    lines = [line.strip() for line in out.splitlines()]
    assert "config.rate  0.1 -> 0.2" in lines
    assert any(line.startswith("input.step") and "another input: ptx store why" in line for line in lines)


def test_why_of_a_run_whose_step_has_left_the_store_says_so(sweep, ptx):
    plan, *_ = sweep()
    shutil.rmtree(entry_of(plan.runs[1].steps[0]))
    assert "it is no longer in the store" in ptx("store", "why", plan.runs[1].id)[1]


def test_why_of_a_failed_run_says_what_is_missing(sweep, ptx):
    sweep("method.fail=false")
    plan, *_ = sweep("method.fail=true")
    out = ptx("store", "why", plan.runs[1].id)[1]
    assert "miss: is not in the store and will be built" in out
    assert "config.fail  false -> true" in out


def test_why_of_a_key_prints_its_ingredients(sweep, ptx):
    plan, *_ = sweep("name=mine")
    key = plan.runs[1].steps[0].key
    code, out, _ = ptx("store", "why", key[:8])
    assert code == 0
    assert f"steps {key}" in out
    assert re.search(r"^  config\.rate +0\.1$", out, re.MULTILINE)
    assert f"asked for by mine/{plan.runs[1].id}" in out


def test_why_of_two_keys_compares_them_field_by_field(sweep, ptx):
    plan, *_ = sweep("seed=0,1")
    keys = [run.steps[0].key[:10] for run in plan.runs[1:]]
    lines = ptx("store", "why", *keys)[1].splitlines()
    assert [line.strip() for line in lines[1:]] == ["seed  0 -> 1"]


def test_why_of_two_runs_compares_their_steps_in_order(sweep, ptx):
    plan, *_ = sweep("compress=[],[halve]", "seed=0,1")
    by_label = {run.label: run.id for run in plan.runs}
    out = ptx("store", "why", by_label["compress=[] seed=0"], by_label["compress=[halve] seed=1"])[1]
    assert "seed  0 -> 1" in out
    assert f"only in {by_label['compress=[halve] seed=1']}" in out


def test_a_key_that_is_too_short_is_refused_with_what_it_may_mean(sweep, ptx, monkeypatch):
    plan, *_ = sweep("method.rate=0.1,0.2")
    twins = [run.steps[0] for run in plan.runs[1:]]
    for number, step in enumerate(twins):
        entry_of(step).rename(STORE / "steps" / f"abcd{number}{step.key[5:]}")
    code, _, err = ptx("store", "why", "abcd")
    assert code == 2
    assert "2 keys begin with abcd; type more of it: abcd0" in err
    code, _, err = ptx("store", "why", "abcd9")
    assert code == 2
    assert "no sweep or run 'abcd9'" in err
    assert "no key begins with 'abcd9' either" in err


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
    """Fills the disk in the middle of a training: in its own folder, or (a path given) elsewhere, where it
    stays.
    """

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
    assert (outcome.done, outcome.kept, outcome.failed) == (1, 1, ())
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


# gc


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
    assert "1 in quarantine, 1 left by killed processes" in ptx("store", "ls")[1]
    ptx("store", "gc", "--older-than", "1d", "--yes")
    assert (STORE / "quarantine" / step.key).is_dir()
    assert "deleted 0 entries and 2 leftovers" in ptx("store", "gc", "--quarantine", "--staging", "--yes")[1]
    assert not list((STORE / "quarantine").iterdir())
    assert not list((STORE / "staging").iterdir())


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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10GB", 1e10), ("1.5 kib", 1536), ("500", 500), ("2TB", 2e12)],
    ids=["GB", "kib", "bytes", "TB"],
)
def test_sizes_are_read_as_people_write_them(text, wanted):
    assert parse_size(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [("30d", 2592000), ("12h", 43200), ("90min", 5400), ("2w", 1209600)]
)
def test_ages_are_read_as_people_write_them(text, wanted):
    assert parse_age(text) == wanted


def test_a_wrong_age_is_refused_with_an_example(ptx):
    code, _, err = ptx("store", "gc", "--older-than", "3x")
    assert code == 2
    assert "'3x' is not an age such as 30d, 12h or 90min" in err


def test_ages_and_sizes_are_written_in_the_largest_fitting_unit():
    assert [age_text(seconds) for seconds in (5, 100, 7300, 2.6e5)] == ["5 s", "100 s", "2 h", "3 d"]
    assert [size_text(size) for size in (144, 1.5e6, 2e9)] == ["144 B", "1.50 MB", "2.00 GB"]
