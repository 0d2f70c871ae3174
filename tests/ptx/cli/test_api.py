"""The Python API as a user calls it; runs are real, on the embedded model."""

import os
import signal
import subprocess
import sys

import pytest

import ptx
from ptx.cli import api, main
from ptx.files import read_json
from ptx.hooks.host import get_host

STEPS = {"data": "tiny", "eval": [], "method__max_steps": 1, "method__batch_size": 4}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    get_host.cache_clear()  # an earlier test may have left plugins out
    return tmp_path


def test_the_functions_have_the_names_of_the_verbs_and_calling_them_imports_no_ml_library_too_early():
    code = (
        "import sys, ptx\n"
        "assert not {'hydra', 'rich', 'torch', 'ptx.cli'} & set(sys.modules)\n"
        "try: ptx.train(method='dppo')\n"
        "except ptx.ConfigError as error: print(error)\n"
        "print(callable(ptx.report), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("no method 'dppo'; did you mean 'dpo'")
    assert done.stdout.endswith("\nTrue False\n")


@pytest.mark.usefixtures("here")
def test_an_error_holds_all_problems_as_the_command_line_prints_them(capsys):
    wrong = {"method": "dppo", "compress": ["gptx"], "model": "tinyy"}
    with pytest.raises(ptx.ConfigError) as raised:
        ptx.train(**wrong)
    assert len(raised.value.problems) == 3
    assert main(["train", "method=dppo", "compress=[gptx]", "model=tinyy"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert printed[-3:] == [f"ptx: {problem}" for problem in raised.value.problems]


@pytest.mark.usefixtures("here")
def test_several_values_belong_into_a_sweep():
    with pytest.raises(ptx.ConfigError, match=r"seed has several values; run them all with ptx\.sweep"):
        ptx.train(method="sft", seed=range(2))
    with pytest.raises(ptx.ConfigError, match="names several values"):
        ptx.train("method=sft,dpo")


@pytest.mark.usefixtures("here")
def test_a_sweep_file_is_checked_as_on_the_command_line(here):
    (here / "study.yaml").write_text("overides: [method=sft]\n")
    with pytest.raises(ptx.ConfigError, match="did you mean 'overrides'"):
        ptx.sweep("study.yaml")
    (here / "search.yaml").write_text("overrides: [method=sft]\nsearch: {trials: 2}\n")
    with pytest.raises(ptx.ConfigError, match=r"run `ptx sweep .*search\.yaml`"):
        ptx.sweep(here / "search.yaml")


def test_a_report_of_nothing_and_of_an_unknown_sweep_says_what_there_is(here):
    with pytest.raises(ptx.ConfigError, match="needs a sweep or run"):
        ptx.report()
    with pytest.raises(ptx.ConfigError, match="no sweep or run 'demo'"):
        ptx.report("demo", out=here)


@pytest.mark.slow  # a training, a compression and a sweep of real runs
def test_a_model_goes_from_one_function_to_the_next(here, capsys):
    handler = signal.getsignal(signal.SIGTERM)
    trained = ptx.train("method=sft", model="tiny", quiet=True, **STEPS)
    assert capsys.readouterr().out == ""
    assert (trained.status, trained.model) == ("done", trained.folder.joinpath("model").resolve())
    study = ptx.sweep(
        verb="compress",
        model=trained,
        compress=["magnitude"],
        compress__magnitude__sparsity=ptx.each(0.3, 0.5),
        eval=[],
        quiet=True,
    )
    assert [run.status for run in study] == ["done", "done"]
    assert {run.folder.parent for run in study} == {study.folder}
    assert read_json(study[0].folder / "run.json")["model"]["path"] == os.fspath(trained)
    written = ptx.report(study, to=here / "report")
    assert written.html.is_file()
    assert study.report.is_file()
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.usefixtures("here")
def test_a_run_that_fails_raises_with_its_reason_and_in_a_sweep_it_is_among_the_failed(monkeypatch):
    def fails(*_):
        raise ptx.StepError("the loss is not finite")

    monkeypatch.setattr("ptx.execute.steps.with_what_fits", fails)
    with pytest.raises(ptx.StepError, match=r"the loss is not finite \(.*runs"):
        ptx.train(method="sft", model="tiny", quiet=True, **STEPS)
    study = ptx.sweep(method="sft", model="tiny", seed=range(2), quiet=True, **STEPS)
    assert [run.error for run in study.failed] == ["the loss is not finite"] * 2


def test_words_and_files_are_told_apart(tmp_path):
    assert api.is_file(tmp_path)
    assert api.is_file("sweeps/demo.yaml")
    assert not api.is_file("method=sft")
