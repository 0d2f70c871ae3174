"""``ptx runs``: records as people read them."""

from __future__ import annotations

import json
from pathlib import Path

from ptx.files import read_json


def test_ls_lists_every_run_with_its_status(sweep, ptx):
    plan, *_ = sweep("method.fail=true,false", "name=a")
    code, out, _ = ptx("runs", "ls")
    assert code == 0
    status = {line.split()[1]: line.split()[2] for line in out.splitlines()[1:]}
    assert status == {plan.runs[0].id: "done", plan.runs[1].id: "failed", plan.runs[2].id: "done"}


def test_ls_json_is_what_the_list_shows_as_data(sweep, ptx):
    plan, *_ = sweep("name=mine")
    code, out, _ = ptx("runs", "ls", "mine", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [(one["sweep"], one["run"], one["status"]) for one in listed] == [
        ("mine", run.id, "done") for run in sorted(plan.runs, key=lambda run: run.id)
    ]
    assert all(read_json(Path(one["folder"]) / "run.json")["id"] == one["run"] for one in listed)


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
    assert lines[1] == "ms, n = 3"
    assert lines[2].endswith(" 550 [450, 650]")


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
    assert "too few items to say" in out  # three


def test_diff_of_a_sweep_asks_for_a_run(sweep, ptx):
    plan, *_ = sweep("name=a")
    code, _, err = ptx("runs", "diff", "a", plan.runs[1].id)
    assert code == 2
    assert "a holds 2 runs; name one: baseline-" in err
