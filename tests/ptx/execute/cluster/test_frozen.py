"""A frozen run on another machine: it is executed in the user's folder, with the facts of that machine."""

from __future__ import annotations

from pathlib import Path

from ptx import machine
from ptx.execute.cluster.frozen import LogConsole, record_this_machine, run_frozen
from ptx.execute.sweep import freeze, status_of
from ptx.files import read_json, write_json
from ptx.store.entry import Identity
from tests.ptx.execute.conftest import plan_of


def test_a_frozen_run_is_executed_in_the_folder_where_the_command_was_typed(
    folder, host, monkeypatch, tmp_path
):
    monkeypatch.setattr("ptx.execute.cluster.frozen.get_host", lambda: host)
    plan = plan_of("baseline=false", host=host)
    freeze(plan, host)
    record = (plan.folder / plan.runs[0].id).absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_frozen(str(record), str(folder)) == {"status": "done", "error": None}
    assert Path.cwd() == folder
    assert status_of(record) == "done"


def test_timings_get_the_machine_that_measures_them_and_a_key_of_their_own(folder, host, monkeypatch):
    plan = plan_of("baseline=false", host=host)
    freeze(plan, host)
    record = plan.folder / plan.runs[0].id
    before = read_json(record / "run.json")
    timed = {"choice": "steady", "machine": {"cpu": "another"}}
    before["evaluations"] = [
        {"name": "steady", "key": "old", "ingredients": timed},
        {"name": "count", "key": "old", "ingredients": {"choice": "count"}},
    ]
    write_json(record / "run.json", before)
    monkeypatch.setattr(machine, "hardware", lambda: {"cpu": "this one"})
    record_this_machine(record)
    steady, count = read_json(record / "run.json")["evaluations"]
    ingredients = {"choice": "steady", "machine": {"cpu": "this one"}}
    assert steady["ingredients"] == ingredients
    assert steady["key"] == Identity("evaluations", ingredients).key
    assert count["key"] == "old"
    assert read_json(record / "run.json")["host"] == machine.facts()


def test_lines_go_to_the_log_of_the_job_and_progress_does_not(capsys):
    LogConsole().say("a line")
    LogConsole().progress("toy", {"loss": 1.0}, 1, 2)
    assert capsys.readouterr().out == "a line\n"


def test_a_key_that_a_plugin_prints_is_not_in_the_log_of_the_job(folder, host, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-0123456789abcdef")
    monkeypatch.setattr("ptx.execute.cluster.frozen.get_host", lambda: host)
    monkeypatch.setattr(
        "ptx.execute.cluster.frozen.execute_frozen", lambda *_, **__: print("sk-proj-0123456789abcdef") or {}
    )
    plan = plan_of("baseline=false", host=host)
    freeze(plan, host)
    run_frozen(str((plan.folder / plan.runs[0].id).absolute()), str(folder))
    assert capsys.readouterr().out == "${oc.env:OPENAI_API_KEY}\n"
