"""The data of a model that was made by a run, where none is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptx.compose.jobs import compose_jobs


@pytest.fixture
def made(desk):
    """``made(data)``: the model folder of a run that was made on it."""

    def make(data):
        folder = Path("runs/one")
        (folder / "model").mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"config": {"data": data}}))
        return "./runs/one/model"

    return make


def composed(host, *words):
    (job,) = compose_jobs(host, "eval", [*words, "eval=[latency]"])
    return job


def test_the_model_of_a_run_is_measured_on_the_data_of_that_run_and_a_note_says_so(toy_host, made):
    job = composed(toy_host, f"model={made({'choice': 'data=path', 'path': 'text.jsonl', 'limit': 3})}")
    assert (job.config.data.path, job.config.data.limit) == ("text.jsonl", None)
    assert job.notes == ("data=text.jsonl, as in the run that made runs/one/model",)


def test_data_that_is_named_or_refused_stays(toy_host, made):
    model = made({"choice": "data=path", "path": "text.jsonl"})
    assert composed(toy_host, f"model={model}", "data=null").config.data is None
    Path("other.jsonl").write_text('{"text": "x"}\n')
    job = composed(toy_host, f"model={model}", "data=./other.jsonl")
    assert (job.config.data.path, job.notes) == ("other.jsonl", ())


@pytest.mark.parametrize(
    "data", [None, {"choice": "data=path", "path": "gone.jsonl"}, {"choice": "data=of_a_stranger"}]
)
def test_recorded_data_that_does_not_exist_any_more_is_not_used(toy_host, made, data):
    job = composed(toy_host, f"model={made(data)}")
    assert (job.config.data, job.notes) == (None, ())


def test_another_folder_has_no_data_of_its_own(toy_host, desk):
    job = composed(toy_host, "model=./model")
    assert (job.config.data, job.notes) == (None, ())
