"""MLflow, really: what lies in its database, and that a server that is gone stops nothing."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

import ptx_mlflow
from ptx_mlflow import Mlflow, track
from tests.plugins.trackers import RESULT, carried_out, report, run_with, train


class Slow:
    """What stands in for MLflow: its database takes a while, and it remembers the runs that have ended."""

    seconds = 0.4
    made: ClassVar[list[str]] = []
    ended: ClassVar[list[str]] = []

    def __init__(self, tracking_uri):
        self.file = Path(tracking_uri.removeprefix("sqlite:///"))

    def search_experiments(self, max_results):
        time.sleep(self.seconds)
        self.file.write_text("a database")
        self.made.append(self.file.name)

    def get_experiment_by_name(self, name):
        assert self.file.name == "mlflow.db"
        assert self.file.exists()
        return SimpleNamespace(experiment_id="1")

    def create_run(self, experiment, run_name, tags):
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def set_terminated(self, run, status="FINISHED"):
        self.ended.append(status)

    def log_batch(self, run, *numbers, **points):
        pass

    log_metric = log_batch


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Each wait is short, the making of the database is not."""
    entities = SimpleNamespace(Metric=lambda *point: point, Param=lambda *pair: pair)
    for name, module in {"mlflow": SimpleNamespace(MlflowClient=Slow), "mlflow.entities": entities}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("ptx_mlflow.track._experiment", lambda *_: "1")
    for name, value in {"QUIET": 0.05, "PATIENCE": 2.0, "PATIENCE_AT_FIRST": 20.0}.items():
        monkeypatch.setattr(f"ptx_mlflow.track.{name}", value)
    monkeypatch.setattr("ptx_mlflow.track.Background.gave_up", False)
    monkeypatch.setattr(Slow, "made", [])
    monkeypatch.setattr(Slow, "ended", [])
    return tmp_path


def test_a_new_database_is_waited_for_and_the_wait_is_said_once(slow, monkeypatch):
    first = run_with(slow, ptx_mlflow, mlflow=Mlflow())
    assert carried_out(first, train) is RESULT
    assert Slow.ended == ["FINISHED"]
    assert [line for line in first.console.lines if "makes its database, once" in line]
    second = run_with(slow, ptx_mlflow, mlflow=Mlflow())
    carried_out(second, train)
    assert Slow.ended == ["FINISHED", "FINISHED"]
    assert second.console.lines == []
    assert Slow.made == ["mlflow.part"]  # made whole, under another name


def test_a_database_that_does_not_come_is_waited_for_once_only(slow, monkeypatch):
    monkeypatch.setattr(Slow, "seconds", 30.0)
    monkeypatch.setattr("ptx_mlflow.track.PATIENCE_AT_FIRST", 2.0)
    monkeypatch.setattr("ptx_mlflow.track.PATIENCE", 0.1)
    waited = []
    for _ in range(2):
        run = run_with(slow, ptx_mlflow, mlflow=Mlflow())
        before = time.monotonic()
        assert carried_out(run, train) is RESULT
        waited.append(time.monotonic() - before)
        assert (
            run.console.lines[-1]
            == "mlflow could not finish: TimeoutError: it did not make its database in time"
        )
    assert run.console.lines == [
        run.console.lines[-1]
    ]  # the second does not wait for it, and says nothing of it
    assert waited[0] > 2.0 > waited[1]


def test_what_a_killed_process_left_of_a_database_is_made_anew(slow):
    (slow / "out").mkdir()
    (slow / "out" / "mlflow.part").write_text("half")
    track.make_database(slow / "out" / "mlflow.db")
    assert (slow / "out" / "mlflow.db").read_text() == "a database"
    assert not (slow / "out" / "mlflow.part").exists()


@pytest.fixture
def mlflow():
    return pytest.importorskip("mlflow", reason="pip install 'ptx[mlflow]'")


@pytest.fixture
def run(tmp_path, monkeypatch, mlflow):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return run_with(tmp_path, ptx_mlflow, mlflow=Mlflow())


@pytest.fixture
def client(tmp_path, mlflow):
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'out/mlflow.db'}")


def runs_of(client):
    return client.search_runs([client.get_experiment_by_name("ptx").experiment_id])


def test_a_run_leaves_settings_lineage_curves_and_metrics_with_intervals(run, client):
    assert carried_out(run, train) is RESULT
    assert run.console.lines == []
    (found,) = runs_of(client)
    assert (found.info.run_name, found.info.status) == ("method=sft", "FINISHED")
    assert found.data.tags["ptx.sweep"] == "grid"
    assert "k1" in found.data.tags["ptx.steps"]
    assert found.data.params["seed"] == "0"
    assert {name: found.data.metrics[name] for name in ("bench/acc", "bench/acc/low", "bench/acc/n")} == {
        "bench/acc": 0.5,
        "bench/acc/low": 0.4,
        "bench/acc/n": 80.0,
    }
    assert found.data.metrics["bench/acc/skill_add"] == 0.75
    curve = client.get_metric_history(found.info.run_id, "sft/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5), (3, 1.0 / 3)]


def test_a_run_that_ends_by_an_error_is_marked_as_failed(run, client):
    def broken(run):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        carried_out(run, broken)
    assert runs_of(client)[0].info.status == "FAILED"


def test_the_report_is_a_run_with_artifacts(run, client, tmp_path):
    ptx_mlflow.ptx_reported(run.config, "grid", report(tmp_path / "report"))
    (found,) = runs_of(client)
    names = {one.path for one in client.list_artifacts(found.info.run_id)}
    assert names == {"report.html", "report.md", "report.csv"}


def test_a_server_that_takes_nothing_is_named_at_the_end_and_the_run_goes_on(tmp_path, monkeypatch, mlflow):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("ptx_mlflow.track.PATIENCE", 5.0)
    run = run_with(tmp_path, ptx_mlflow, mlflow=Mlflow(uri="http://127.0.0.1:9"))
    assert carried_out(run, train) is RESULT
    (line,) = run.console.lines
    assert line.startswith("mlflow could not finish: ")


def test_points_that_are_no_numbers_are_left_out(run, client):
    def diverging(run):
        run.at(label="sft").log({"loss": float("nan"), "rate": 0.1}, 1, 1)
        return RESULT

    carried_out(run, diverging)
    assert run.console.lines == []
    assert {"sft/rate"} == {name for name in runs_of(client)[0].data.metrics if name.startswith("sft")}
