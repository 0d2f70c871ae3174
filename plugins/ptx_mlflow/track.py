"""One MLflow run per ptx run; everything is sent from a thread, in batches."""

from __future__ import annotations

import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, RunConfig
from ptx.hooks.tracking import failed, flat_settings, lineage_of, summary_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ptx_mlflow import Mlflow

BATCH = 500  # points of one request; MLflow takes 1,000
EVERY = 5.0  # seconds between two requests
PATIENCE = 30.0  # seconds that the end of a run waits for what is left
QUIET = 5.0  # seconds of waiting that nothing is said about
PATIENCE_AT_FIRST = 300.0  # and for a new database, whose migrations took 40 s on a busy machine
LONGEST = 500  # characters of a setting that every version of MLflow takes
PARAMETERS = 100  # of one request


class Background:
    """Work in a thread: a server that is slow or gone holds nothing up.

    The work is given an event, which it sets when the place that it writes to is there.
    """

    gave_up = False  # a place that did not come within its time is not waited for by the next run

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._work = work
        self._error: Exception | None = None
        self._there = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self._there)
        except Exception as error:  # noqa: BLE001 (raised by wait())
            self._error = error
        finally:
            self._there.set()

    def wait(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Wait until the work is done, but not for ever; a long wait is said.

        Raises:
            Exception: what the work raised.
            TimeoutError: it is not done in time.
        """
        if not Background.gave_up and not self._there.wait(QUIET):
            say(f"mlflow makes its database, once: it has {PATIENCE_AT_FIRST / 60:.0f} minutes for that")
            Background.gave_up = not self._there.wait(PATIENCE_AT_FIRST)
        self._thread.join(PATIENCE)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            what = "take everything" if self._there.is_set() else "make its database"
            raise TimeoutError(f"it did not {what} in time")


class Page:
    """An MLflow run that a thread writes."""

    def __init__(self, run: Run, settings: Mlflow) -> None:
        about = {
            "name": run.plan.label or run.plan.id,
            "tags": {f"ptx.{name}": str(value) for name, value in lineage_of(run).items()},
            "parameters": {name: str(value)[:LONGEST] for name, value in flat_settings(run.config).items()},
        }
        self._points: queue.SimpleQueue[tuple[str, float, int, int] | None] = queue.SimpleQueue()
        self._result: Mapping[str, Any] | None = None
        self._say = run.say
        self._work = Background(lambda there: self._write(there, run.config, settings, run.plan.sweep, about))

    def log(self, label: str, metrics: Mapping[str, float], step: int) -> None:
        """Hand a point to the thread."""
        now = int(time.time() * 1000)
        for name, value in metrics.items():
            self._points.put((f"{label}/{name}", value, now, step))

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Hand over the result, and wait until all is written.

        Raises:
            Exception: what the thread met, or a TimeoutError.
        """
        self._result = result
        self._points.put(None)
        self._work.wait(self._say)

    def _write(
        self, there: threading.Event, config: RunConfig, settings: Mlflow, sweep: str, about: dict[str, Any]
    ) -> None:
        client, run = begun(there, config, settings, sweep, about)
        while self._send(client, run):
            pass
        for name, value in _numbers(summary_of(self._result or {})):
            client.log_metric(run, name, value)
        client.set_terminated(run, "FAILED" if failed(self._result) else "FINISHED")

    def _send(self, client: MlflowClient, run: str) -> bool:
        """Send what has come until a batch is full or its time is over; False behind the last point."""
        from mlflow.entities import Metric

        batch: list[Metric] = []
        until, more = time.monotonic() + EVERY, True
        while more and len(batch) < BATCH and (left := until - time.monotonic()) > 0:
            try:
                point = self._points.get(timeout=left)
            except queue.Empty:
                break
            if point is None:
                more = False
            elif math.isfinite(point[1]):
                batch.append(Metric(*point))
        if batch:
            client.log_batch(run, metrics=batch)
        return more


def begun(
    there: threading.Event, config: RunConfig, settings: Mlflow, sweep: str, about: dict[str, Any]
) -> tuple[MlflowClient, str]:
    """A client, and the id of a new run in the experiment; ``there`` is set when the database is."""
    from mlflow.entities import Param

    client = _client(config, settings, there)
    tags = {"ptx.sweep": sweep, **about["tags"]}
    run = client.create_run(
        _experiment(client, config, settings), run_name=about["name"], tags=tags
    ).info.run_id
    parameters = [Param(name, value) for name, value in about["parameters"].items()]
    for start in range(0, len(parameters), PARAMETERS):
        client.log_batch(run, params=parameters[start : start + PARAMETERS])
    return client, run


def send_report(config: RunConfig, settings: Mlflow, sweep: str, folder: Path) -> None:
    """A run of its own with the files of the report as artifacts.

    Raises:
        Exception: what the thread met, or a TimeoutError.
    """
    about = {"name": f"report of {sweep}", "tags": {}, "parameters": {}}

    def send(there: threading.Event) -> None:
        client, run = begun(there, config, settings, sweep, about)
        client.log_artifacts(run, str(folder))
        client.set_terminated(run)

    Background(send).wait()


def _client(config: RunConfig, settings: Mlflow, there: threading.Event) -> MlflowClient:
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow import MlflowClient

    uri = settings.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        there.set()  # a server is there, or it is not waited for
        return MlflowClient(tracking_uri=uri)
    file = Path(config.out).absolute() / "mlflow.db"
    make_database(file)
    there.set()
    return MlflowClient(tracking_uri=f"sqlite:///{file}")


def make_database(file: Path) -> None:
    """Make a database, unless it is there; whole or not at all, as the process may end in the middle."""
    from filelock import FileLock
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):  # several processes that create one database break it
        if not file.exists():
            part = file.with_suffix(".part")
            part.unlink(missing_ok=True)
            MlflowClient(tracking_uri=f"sqlite:///{part}").search_experiments(max_results=1)
            part.rename(file)


def _experiment(client: MlflowClient, config: RunConfig, settings: Mlflow) -> str:
    """The id of the experiment, which may be made by another process at the same time."""
    from mlflow.exceptions import MlflowException

    local = settings.uri is None and "MLFLOW_TRACKING_URI" not in os.environ
    place = (Path(config.out).absolute() / "mlflow-artifacts").as_uri() if local else None
    if found := client.get_experiment_by_name(settings.experiment):
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(settings.experiment, artifact_location=place))
    except MlflowException:
        found = client.get_experiment_by_name(settings.experiment)
        if found is None:
            raise
        return str(found.experiment_id)


def _numbers(summary: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [
        (_allowed(name), float(value))
        for name, value in summary.items()
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _allowed(name: str) -> str:
    """A name that MLflow takes: letters, digits, _ - . space : /."""
    return "".join(one if one.isalnum() or one in "_-. :/" else "_" for one in name)
