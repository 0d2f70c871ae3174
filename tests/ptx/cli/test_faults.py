"""The five faults that a store meets, as the user of ``ptx train`` meets them.

Each is explained, nothing is lost, and the other runs continue.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptx import Choice, Evaluation, Tracker, hookimpl
from ptx.files import read_json
from ptx.store import locks

STORE = Path("ptx-out/store")
WORDS = [
    "train",
    "-m",
    "model=./model",
    "data=./text.jsonl",
    "method=toy",
    "compress=[],[halve]",
    "eval=[latency]",
]


class Filler:
    """Writes as much into a training's folder as it is told to."""

    @hookimpl(wrapper=True)
    def ptx_train(self, run, method):
        if method.args.get("big"):
            (run.folder / "big").write_bytes(b"x" * method.args["big"])
        return (yield)


@pytest.fixture(autouse=True)
def host(toy, host_with, monkeypatch):
    made = host_with(toy=toy, filler=Filler())
    monkeypatch.setattr("ptx.cli.train.get_host", lambda: made)


def entry(choice):
    (folder,) = [
        path.parent
        for path in STORE.glob("steps/*/entry.json")
        if read_json(path)["ingredients"]["choice"] == choice
    ]
    return folder


def table(out):
    """The lines of the runs in the table at the end of a command: a value with its interval, or a failure."""
    parts = [part.splitlines() for part in out.split("\n\n")]
    found = next(part for part in parts if any(line.strip("● ").startswith("baseline ") for line in part))
    return [line for line in found if "[" in line or " failed " in line]


def test_a_flipped_byte_in_a_stored_model(ptx, toy):
    code, out, _ = ptx(*WORDS, "name=a")
    before = table(out)
    weights = entry("toy") / "payload" / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, out, _ = ptx("store", "verify")
    assert (code, "model/model.safetensors has changed since it was written" in out) == (1, True)
    code, out, _ = ptx("store", "verify", "--repair")
    assert (code, "the next run that needs them builds them again" in out) == (1, True)
    toy.calls.clear()
    code, out, _ = ptx(*WORDS, "name=b")
    assert (code, toy.calls, table(out)) == (0, ["train ToyMethod 0.1"], before)
    assert ptx("store", "verify")[0] == 0


@pytest.mark.parametrize("where", ["the run's result", "an evaluation in the store"])
def test_a_truncated_result_file(ptx, toy, where):
    before = table(ptx(*WORDS, "name=a")[1])
    if where == "the run's result":
        (path,) = Path("ptx-out/runs/a").glob("halve-*/result.json")
        said, calls = "result.json is damaged", []
    else:
        path = next(iter(STORE.glob("evaluations/*/payload/rows.jsonl")))
        said, calls = "rows.jsonl has", ["load", "evaluate Count"]
    path.write_bytes(path.read_bytes()[:20])
    toy.calls.clear()
    code, out, _ = ptx(*WORDS, "name=a" if not calls else "name=b")
    assert (code, said in out, toy.calls, table(out)) == (0, True, calls, before)


def test_a_full_disk(ptx, desk, as_root):
    (desk / "small").mkdir()
    as_root("-t", "tmpfs", "-o", "size=2m", "tmpfs", desk / "small")
    words = [*WORDS, "out=small/out", "method.args.big=5000000,0", "name=a"]
    code, out, _ = ptx(*words)
    assert code == 1
    assert len([line for line in table(out) if " failed " in line]) == 2
    assert "no space left on the disk" in out
    assert "out=/another/disk" in out
    statuses = [read_json(path)["status"] for path in Path("small/out/runs/a").glob("*/result.json")]
    assert sorted(statuses) == ["done", "done", "done", "failed", "failed"]
    assert ptx("store", "verify", "--out", "small/out")[0] == 0
    assert not list(Path("small/out/store/staging").iterdir())


def test_a_read_only_store(ptx, toy, desk, as_root):
    assert ptx(*WORDS, "method.rate=0.1", "name=a")[0] == 0
    as_root("--bind", STORE, STORE)
    as_root("-o", "remount,ro,bind", STORE)
    toy.calls.clear()
    code, out, _ = ptx(*WORDS, "method.rate=0.1,0.2", "name=b")
    assert (code, toy.calls) == (1, [])
    assert f"{desk / STORE} cannot be written to and the store there does not hold it" in out
    statuses = [read_json(path)["status"] for path in Path("ptx-out/runs/b").glob("*/result.json")]
    assert sorted(statuses) == ["done", "done", "done", "failed", "failed"]


def test_the_stale_lock_of_a_dead_process(ptx, toy):
    before = table(ptx(*WORDS, "name=a")[1])
    key = entry("toy").name
    shutil.rmtree(entry("toy"))
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    lock = STORE / "locks" / key
    lock.mkdir()
    (lock / locks.FIRST).write_text(
        json.dumps({"host": "here", **locks._this_process(), "pid": dead.pid, "started": "1", "token": "x"})
    )
    toy.calls.clear()
    code, out, _ = ptx(*WORDS, "name=b")
    assert (code, toy.calls, table(out)) == (0, ["train ToyMethod 0.1"], before)
    assert f"took over from process {dead.pid} on here, which ended without finishing" in out
    assert not list((STORE / "locks").iterdir())


def test_the_stale_lock_of_a_sweep_whose_command_was_killed(ptx):
    assert ptx(*WORDS, "name=a")[0] == 0
    lock = Path("ptx-out/runs/a/sweep.lock")
    lock.mkdir()
    (lock / locks.FIRST).write_text(
        json.dumps({"host": "here", **locks._this_process(), "pid": 4_000_000, "started": "1", "token": "x"})
    )
    code, out, _ = ptx(*WORDS, "name=a")
    assert (code, "3 of 3 runs were done already and are kept" in out) == (0, True)


def test_an_output_folder_that_cannot_be_written_to_is_named_with_its_cause_before_anything_runs(
    ptx, toy, desk, as_root
):
    (desk / "file").write_text("x")
    (desk / "readonly").mkdir()
    as_root("--bind", "readonly", "readonly")
    as_root("-o", "remount,ro,bind", "readonly")
    for out, cause in (
        ("file", "is a file, not a folder"),
        ("file/below", "is a file, not a folder"),
        ("/dev/null", "is a device, not a folder"),
        ("readonly/out", "is read-only"),
    ):
        code, _, err = ptx(*WORDS, f"out={out}")
        assert code == 2
        assert f"out={out}: " in err
        assert cause in err
        assert "free some" not in err
    assert toy.calls == []
    (desk / "ptx-out" / "runs").mkdir(parents=True)
    as_root("--bind", "ptx-out/runs", "ptx-out/runs")
    as_root("-o", "remount,ro,bind", "ptx-out/runs")
    code, _, err = ptx(*WORDS)
    assert (code, toy.calls) == (2, [])
    assert f"out=ptx-out: the file system of {desk / 'ptx-out' / 'runs'} is read-only" in err


SECRET = "sk-proj-0123456789abcdef"


def test_a_secret_of_the_environment_is_in_nothing_that_a_run_writes_or_prints(ptx, desk, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    words = ["method.args.a=${oc.env:OPENAI_API_KEY}", f"method.args.b={SECRET}", f"against={SECRET}"]
    said = "".join(map(str, ptx(*WORDS, *words, "method.args.c=[${oc.env:OPENAI_API_KEY},1]")))
    said += "".join(map(str, ptx(*WORDS, "name=${oc.env:OPENAI_API_KEY}")))
    said += "".join(map(str, ptx(*WORDS, f"name={SECRET}"))) + "".join(
        map(str, ptx(*WORDS, f"out={SECRET}/x"))
    )
    said += "".join(map(str, ptx(*WORDS, *words[:2], "name=fine")))
    said += "".join(map(str, ptx(*WORDS, *words[:2], "--cfg", "job")))
    files = [path for path in desk.rglob("*") if path.is_file()]
    assert any(path.name == "result.json" for path in files)
    assert SECRET not in said
    assert [str(path) for path in files if SECRET.encode() in path.read_bytes() or SECRET in str(path)] == []
    (record, *_) = (desk / "ptx-out/runs/fine").glob("*/run.json")
    assert "${oc.env:OPENAI_API_KEY}" in record.read_text()


@dataclass
class Diary(Tracker):
    pass


class Leaky:
    """A plugin that says, logs, measures and raises a key, and a tracker that writes all that it is given."""

    @hookimpl
    def ptx_choices(self):
        return [Choice("tracker", "diary", Diary)]

    @hookimpl(wrapper=True)
    def ptx_run(self, run):
        Path("diary.txt").write_text(repr(run.config))
        result = yield
        with Path("diary.txt").open("a") as file:
            file.write(repr(result))
        return result

    @hookimpl
    def ptx_log(self, run, metrics, step):
        run.event("note", text=os.environ["OPENAI_API_KEY"])

    @hookimpl(wrapper=True)
    def ptx_evaluate(self, run):
        run.say(f"the key is {os.environ['OPENAI_API_KEY']}")
        found = yield
        rows = [{**row, "output": os.environ["OPENAI_API_KEY"]} for row in found.rows]
        return Evaluation(found.metrics, rows)

    @hookimpl(wrapper=True)
    def ptx_train(self, method):
        if method.args.get("leak"):
            key = os.environ["OPENAI_API_KEY"]
            raise RuntimeError(f"cannot log in with {key}")
        return (yield)

    @hookimpl
    def ptx_report(self, records):
        return [f"<p>{os.environ['OPENAI_API_KEY']}</p>"]


def test_a_key_that_a_plugin_gives_away_is_in_no_record_log_tracker_traceback_or_page(
    ptx, desk, toy, host_with, monkeypatch
):
    made = host_with(toy=toy, leaky=Leaky())
    for verb in ("train", "report"):
        monkeypatch.setattr(f"ptx.cli.{verb}.get_host", lambda: made)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    words = [*WORDS[:1], "-m", *WORDS[2:5], "eval=[latency]", "tracker=[diary]", "name=a"]
    leaks = ["+method.args.key=${oc.env:OPENAI_API_KEY}", "+method.args.leak=false,true"]
    code, out, err = ptx(*words, *(leak.lstrip("+") for leak in leaks))
    assert code == 1
    written = {str(path): path.read_bytes() for path in desk.rglob("*") if path.is_file()}
    assert SECRET not in out + err
    assert [name for name, content in written.items() if SECRET.encode() in content] == []
    runs = desk / "ptx-out/runs/a"
    kinds = {
        "result.json",
        "run.json",
        "events.jsonl",
        "latency.jsonl",
        "report.html",
        "report.md",
        "diary.txt",
    }
    assert kinds <= {Path(name).name for name in written}
    failed = [read_json(path)["error"] for path in runs.glob("*/result.json")]
    [error] = [one for one in failed if one]
    assert "cannot log in with ${oc.env:OPENAI_API_KEY}" in error["traceback"]
    assert "${oc.env:OPENAI_API_KEY}" in (desk / "diary.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["SIGHUP", "SIGTERM"])
def test_a_signal_that_ends_the_command_leaves_the_run_interrupted(warm, desk, number):
    wait = "@hookimpl(tryfirst=True)\ndef ptx_run(run):\n    time.sleep(60)\n"
    (desk / "ptxfile.py").write_text(f"import time\nfrom ptx import hookimpl\n{wait}")
    command = [sys.executable, "-m", "ptx", "eval", "model=tiny", "eval=[latency]", "name=a"]
    heard = signal.signal(number, signal.SIG_DFL)  # under nohup a child would inherit that it is ignored
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        signal.signal(number, heard)
        for _ in range(600):
            if list(Path("ptx-out/runs/a").glob("*/events.jsonl")):
                break
            time.sleep(0.1)
        running.send_signal(number)
        assert running.wait(60) == 130
    (result,) = Path("ptx-out/runs/a").glob("*/result.json")
    assert read_json(result)["status"] == "interrupted"
