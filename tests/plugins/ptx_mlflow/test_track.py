"""MLflow, really: what lies in its database, and that a server that is gone stops nothing."""

import pytest

import ptx_mlflow
from ptx_mlflow import Mlflow
from tests.plugins.trackers import RESULT, carried_out, report, run_with, train

mlflow = pytest.importorskip("mlflow", reason="pip install 'ptx[mlflow]'")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return run_with(tmp_path, ptx_mlflow, mlflow=Mlflow())


@pytest.fixture
def client(tmp_path):
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


def test_a_server_that_takes_nothing_is_named_at_the_end_and_the_run_goes_on(tmp_path, monkeypatch):
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
