"""``ptx train -m`` as it is typed: every distinct step once, failed runs, several commands at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ptx import StepError, hookimpl
from ptx.cli import main
from ptx.files import read_json, read_rows

pytestmark = pytest.mark.usefixtures("warm")

PTXFILE = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from conftest import Count, Plain, Quiz, ToyPlugin
import ptx

class Plugin(ToyPlugin):
    @ptx.hookimpl
    def ptx_choices(self):
        kept = [choice for choice in super().ptx_choices() if choice.group not in ("runtime", "eval")]
        evaluators = [ptx.Choice("eval", "count", Count), ptx.Choice("eval", "quiz", Quiz)]
        return [*kept, ptx.Choice("runtime", "plain", Plain), *evaluators]

    @ptx.hookimpl
    def ptx_train(self, run, method, model, data):
        time.sleep(float(getattr(method, "args", {{}}).get("seconds", 0)))
        return super().ptx_train(run, method, model, data)

toy = Plugin()
globals().update({{name: getattr(toy, name) for name in dir(toy) if name.startswith("ptx_")}})
"""
FIXED = ["model=./model", "data=./text.jsonl"]
#: 4 methods x 3 compressions x 2 seeds, two evaluators
SWEEP = [*FIXED, "method=toy,other", "method.rate=0.1,0.2", "compress=[],[halve],[round]", "seed=0,1"]
EVALUATED = ["eval=[bench,latency]", "eval.bench.tasks=[questions]"]


@pytest.fixture
def host(toy_host, monkeypatch):
    monkeypatch.setattr("ptx.cli.train.get_host", lambda: toy_host)
    return toy_host


def books(desk, name="all"):
    return read_json(desk / "ptx-out" / "runs" / name / "sweep.json")["books"]


def made(journals):
    """Key -> how many times a run's journal says that it made it."""
    events = [
        event
        for journal in journals
        for event in read_rows(journal)
        if event["event"] == "step_finished" and not event["shared"]
    ]
    keys = [event["key"] for event in events]
    return {key: keys.count(key) for key in keys}


def test_a_sweep_of_24_runs_makes_each_distinct_step_once_and_the_books_say_so(host, toy, desk, ptx):
    command = ["train", "-m", *SWEEP, *EVALUATED, "name=all"]
    code, out, _ = ptx(*command)
    assert code == 0
    assert "steps: 40 asked for, 24 ran, 16 shared; evaluations: 50 asked for, 50 ran, 0 shared" in out
    assert (
        sorted(call.split()[0] for call in toy.calls if call.split()[0] != "load")
        == ["compress"] * 16 + ["evaluate"] * 50 + ["train"] * 8
    )
    assert books(desk)["steps_ran"] == 24
    assert set(made((desk / "ptx-out" / "runs" / "all").glob("*/events.jsonl")).values()) == {1}
    toy.calls.clear()
    code, out, _ = ptx(*command)
    assert code == 0
    assert "25 of 25 runs were done already and are kept" in out
    assert toy.calls == []
    assert books(desk)["steps_ran"] == 24


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["four sweeps", "one sweep four times"])
def test_four_commands_at_once_make_each_distinct_step_exactly_once(desk, named):
    (desk / "ptxfile.py").write_text(PTXFILE)
    once = [word for word in SWEEP if not word.startswith("seed=")]
    words = [
        *once,
        "method.args.seconds=0.2",
        "runtime=plain",
        "eval=[count]",
        "eval.forgetting=false",
        "baseline=false",
    ]
    command = [sys.executable, "-m", "ptx", "train", "-m", *words]
    names = [f"name=s{number}" if named else "name=s" for number in range(4)]
    running = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name in names
    ]
    said = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    counts = made((desk / "ptx-out" / "runs").glob("*/*/events.jsonl"))
    assert len(counts) == 12 + 12  # steps, evaluations
    assert set(counts.values()) == {1}
    if not named:
        assert sum("12 of 12 runs were done already" in text for text in said) == 3
        assert all("which is running this sweep" in text for text in said if "were done already" in text)
    assert not [path for path in (desk / "ptx-out" / "store" / "staging").glob("*/*") if path.is_dir()]
    assert main(["store", "verify"]) == 0


# failed runs


def test_of_several_runs_those_that_failed_are_left_alone_and_named_until_asked_for(host, toy, desk, ptx):
    command = ["train", "-m", *FIXED, "method=toy", "method.fail=true,false", "eval=[latency]", "name=all"]
    code, out, _ = ptx(*command)
    assert code == 1
    assert "told to fail" in out
    toy.calls.clear()
    code, out, _ = ptx(*command)
    assert code == 1
    assert toy.calls == []
    assert "2 of 3 runs were done already and are kept" in out
    assert "failed earlier: fail-true" in out
    assert out.count("told to fail") == 1
    assert (
        "the run that failed earlier is not run again; the same command with --retry-failed tries again"
        in out
    )
    code, out, _ = ptx(*command, "--retry-failed")
    assert code == 1
    assert toy.calls == ["train ToyMethod 0.1"]
    assert "not run again" not in out
    assert "failed: fail-true" in out


def test_a_single_run_that_failed_is_tried_again_without_being_asked(host, toy, desk, ptx):
    command = ["train", *FIXED, "method=toy", "method.fail=true", "eval=[latency]"]
    assert ptx(*command)[0] == 1
    toy.calls.clear()
    code, out, _ = ptx(*command)
    assert (code, toy.calls) == (1, ["train ToyMethod 0.1"])
    assert "not run again" not in out


@pytest.mark.slow
@pytest.mark.parametrize("where", ["workers=1", "workers=2"])
def test_workers_leave_failed_runs_alone_too(desk, where):
    (desk / "ptxfile.py").write_text(PTXFILE)
    words = [
        "train",
        "-m",
        *FIXED,
        "method=toy",
        "method.fail=true,false",
        "runtime=plain",
        "eval=[count]",
        "name=all",
        where,
    ]

    def go(*more):
        done = subprocess.run(
            [sys.executable, "-m", "ptx", *words, *more], capture_output=True, text=True, timeout=300
        )
        return done.returncode, done.stdout

    assert go()[0] == 1
    first = {
        path: path.stat().st_mtime_ns for path in (desk / "ptx-out" / "runs" / "all").glob("*/result.json")
    }
    code, out = go()
    assert (code, "failed earlier: fail-true" in out) == (1, True)
    assert {path: path.stat().st_mtime_ns for path in first} == first
    code, out = go("--retry-failed")
    assert (code, "failed earlier" in out, "failed: fail-true" in out) == (1, False, True)


class Strict:
    """Fails whoever works with 13."""

    @hookimpl(wrapper=True)
    def ptx_run(self, run):
        if "13" in run.label:
            raise StepError("no 13 here")
        return (yield)


STUDY = json.dumps(
    {"name": "all", "overrides": [*FIXED, "method=toy", "method.rate=0.1,0.2", "seed=0,13", "eval=[latency]"]}
)


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "study.yaml"],
        ["compress", "-m", *FIXED, "compress=[halve]", "compress.halve.keep=0.5,0.13", "eval=[latency]"],
        ["eval", "-m", "model=./model", "eval=[latency]", "eval.latency.scale=1,13"],
    ],
    ids=lambda words: words[0],
)
def test_so_do_sweep_files_compress_and_eval(toy, host_with, monkeypatch, desk, ptx, words):
    host = host_with(toy=toy, strict=Strict())
    monkeypatch.setattr("ptx.cli.train.get_host", lambda: host)
    (desk / "study.yaml").write_text(STUDY)
    assert ptx(*words)[0] == 1
    code, out, _ = ptx(*words)
    assert code == 1
    assert "failed earlier" in out
    assert "\nfailed:" not in out
    assert "--retry-failed tries again" in out
    code, out, _ = ptx(*words, "--retry-failed")
    assert (code, "\nfailed:" in out, "failed earlier" in out) == (1, True, False)
