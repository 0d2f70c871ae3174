"""``ptx runs``: records as people read them."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from ptx.cli.tail import line_of
from ptx.files import append_event, read_json


def test_ls_lists_every_run_with_its_status(sweep, ptx):
    plan, *_ = sweep("method.fail=true,false", "name=a")
    code, out, _ = ptx("runs", "ls")
    assert code == 0
    status = {line.split()[1]: line.split()[2] for line in out.splitlines()[1:]}
    assert status == {plan.runs[0].id: "done", plan.runs[1].id: "failed", plan.runs[2].id: "done"}


def test_show_tells_of_one_run_in_words(sweep, ptx):
    sweep("name=a")
    plan, *_ = sweep("compress=[halve]", "name=b")
    out = ptx("runs", "show", plan.runs[1].id)[1]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    toy, halve = plan.runs[1].steps
    assert any(
        line.startswith(f"toy {toy.key[:12]} from the store") and line.endswith("loss 0.5") for line in lines
    )
    assert any(line.startswith(f"halve {halve.key[:12]} made by this run") for line in lines)
    assert any(line.startswith("record ptx-out/runs/b/") for line in lines)
    assert "550 ms [450, 650] n=3" in out.replace("\N{NO-BREAK SPACE}", " ")


def test_show_of_a_failed_run_gives_the_reason_and_what_was_not_done(sweep, ptx):
    plan, *_ = sweep("method.fail=true")
    out = ptx("runs", "show", plan.runs[1].id)[1]
    assert "StepError: told to fail" in out
    assert "not done" in out


def test_show_json_is_the_record_itself(sweep, ptx):
    plan, *_ = sweep()
    folder = plan.folder / plan.runs[1].id
    shown = json.loads(ptx("runs", "show", plan.runs[1].id, "--json")[1])
    assert shown == {"run": read_json(folder / "run.json"), "result": read_json(folder / "result.json")}


def test_show_of_a_sweep_is_its_table_and_says_how_to_see_more(sweep, ptx):
    sweep("method.rate=0.1,0.2", "name=a")
    out = ptx("runs", "show", "a")[1]
    assert "3 runs in" in out
    assert "ptx runs show RUN" in out


def test_diff_names_settings_inputs_versions_and_metrics_that_differ(sweep, ptx):
    plan, *_ = sweep("method.rate=0.1,0.4", "name=a")
    path = plan.folder / plan.runs[2].id / "run.json"
    record = read_json(path)
    record["versions"]["python"] = "3.99"
    path.write_text(json.dumps(record))
    code, out, _ = ptx("runs", "diff", plan.runs[1].id, plan.runs[2].id)
    assert code == 0
    lines = [line.strip() for line in out.replace("\N{NO-BREAK SPACE}", " ").splitlines()]
    assert "method.rate  0.1 -> 0.4" in lines
    assert "inputs: the same" in lines
    assert any(line.startswith("python  3.") and line.endswith("-> 3.99") for line in lines)
    metric = next(line for line in lines if line.startswith("latency/value"))
    assert "1.10 s [1.00, 1.20] n=3" in metric
    assert "1.40 s [1.30, 1.50] n=3" in metric
    assert "+0.30 s" in metric
    assert "(paired)" in metric


def test_diff_of_a_run_with_itself_finds_nothing(sweep, ptx):
    plan, *_ = sweep()
    out = ptx("runs", "diff", plan.runs[1].id, plan.runs[1].id)[1]
    assert [line for line in out.splitlines() if line.endswith(": the same")] == [
        "settings: the same",
        "inputs: the same",
        "versions: the same",
    ]
    assert "no difference beyond noise" in out


def test_diff_of_a_sweep_asks_for_a_run(sweep, ptx):
    plan, *_ = sweep("name=a")
    code, _, err = ptx("runs", "diff", "a", plan.runs[1].id)
    assert code == 2
    assert "a holds 2 runs; name one: baseline-" in err


def test_tail_shows_the_last_events_as_lines(sweep, ptx):
    plan, *_ = sweep("name=a")
    lines = ptx("runs", "tail", plan.runs[1].id, "-n", "3")[1].splitlines()
    assert lines[-1].endswith("  run done")
    assert len(lines) == 3
    everything = ptx("runs", "tail", plan.runs[1].id, "-n", "100")[1]
    assert "toy  2/2  ━━━━━━━━━━━━━━━━  loss 0.5" in everything
    assert plan.runs[1].id in ptx("runs", "tail", "a")[1]


def test_tail_passes_over_a_line_that_a_crash_has_cut(sweep, ptx):
    plan, *_ = sweep()
    journal = plan.folder / plan.runs[1].id / "events.jsonl"
    with journal.open("a") as file:
        file.write('{"time": 1, "ev\n{"time": 2, "event": "message", "text": "hello"}\n{"ti')
    out = ptx("runs", "tail", plan.runs[1].id)[1]
    assert "hello" in out


def test_tail_follows_a_run_until_it_has_ended(sweep, desk):
    plan, *_ = sweep()
    folder = plan.folder / plan.runs[1].id
    result = (folder / "result.json").read_text()
    (folder / "result.json").unlink()
    following = subprocess.Popen(
        [sys.executable, "-m", "ptx", "runs", "tail", str(folder), "-n", "1", "-f"],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = following.stdout.readline()
    assert first.strip().endswith("run done")
    append_event(folder / "events.jsonl", "message", label="toy", text="still here")
    assert following.stdout.readline().strip().endswith("toy: still here")
    append_event(folder / "events.jsonl", "run_finished", status="failed")
    (folder / "result.json").write_text(result)
    assert following.communicate(timeout=300)[0].strip().endswith("run failed")
    assert following.returncode == 0


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "step_started", "step": "dpo", "key": "a" * 64}, "dpo: started (aaaaaaaaaaaa)"),
        ({"event": "step_finished", "step": "dpo", "shared": True, "seconds": 3}, "dpo: from the store"),
        (
            {"event": "step_finished", "step": "dpo", "shared": False, "seconds": 3.5},
            "dpo: finished in 3.5 s",
        ),
        ({"event": "message", "label": "dpo", "text": "hello"}, "dpo: hello"),
        ({"event": "memory_peak", "time": time.time(), "bytes": 5}, "memory peak bytes=5"),
    ],
    ids=["started", "shared", "made", "message", "unknown"],
)
def test_every_event_is_a_line(event, line):
    assert line_of(event) == line
