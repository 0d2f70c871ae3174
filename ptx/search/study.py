"""The Optuna study of a search: its journal file, a sampler for each trial, recovery after a crash.

- The journal (``search.journal`` in the sweep's folder) is append-only. A last line that a crash has cut
  short is removed before the journal is read, because Optuna would not read past it.
- Every trial gets a sampler of its own, seeded with the search's seed and the number of trials before it. A
  sampler keeps its memory in the study, not in the object, so a search that was killed and continued proposes
  the same points as one that was not disturbed. (With one seed for the whole process, as is usual, a sampler
  would repeat its first proposals after every restart.)
- A trial that was running when its process died is marked as failed, and queued again with the same
  parameters.
"""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem
from ptx.files import digest_of
from ptx.search.config import SearchConfig

JOURNAL = "search.journal"

#: state of a trial in search.json -> Optuna's name of it
STATES = {"done": "COMPLETE", "failed": "FAIL", "stopped": "PRUNED"}


def optuna() -> Any:
    """Import Optuna and return it.

    Raises:
        ConfigError: Optuna is not installed.
    """
    try:
        import optuna as library
    except ImportError as error:
        raise ConfigError(
            Problem(f"a search needs Optuna, which cannot be imported ({error})", "pip install 'ptx[search]'")
        ) from error
    library.logging.set_verbosity(library.logging.WARNING)
    return library


class _FileLock:
    """The kernel's lock on the journal file, for Optuna's journal storage.

    It ends with its process, while Optuna's own lock outlives a killed process by 30 seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1

    def acquire(self) -> bool:
        """Wait until this process holds the lock."""
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Release the lock by closing the file."""
        os.close(self._handle)


class Study:
    """The trials of one search. Only one process at a time uses it (the loop holds a lock)."""

    def __init__(self, folder: Path, name: str, config: SearchConfig) -> None:
        self.config = config
        self._optuna = optuna()
        path = folder / JOURNAL
        _cut_partial_line(path)
        self._study = self._open(path, name)
        known = self._study.user_attrs.get("definition")
        if known is not None and known != config.definition:
            if any(record["state"] == "done" for record in self.records()):
                raise ConfigError(_definition_problems(name, folder, known, config.definition))
            path.unlink()  # no trial is done, so the sampler has learnt nothing; the records of runs stay
            self._study = self._open(path, name)
        self._study.set_user_attr("definition", config.definition)

    def _open(self, path: Path, name: str) -> Any:
        journal = self._optuna.storages.journal
        storage = self._optuna.storages.JournalStorage(
            journal.JournalFileBackend(str(path), lock_obj=_FileLock(path))
        )
        study = self._optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            directions=list(self.config.objectives.values()),
        )
        with _without_warnings():
            study.set_metric_names(list(self.config.objectives))
        return study

    def records(self) -> list[dict[str, Any]]:
        """Return the record of every finished trial, numbered from 1, without those that are run again.

        ``repeats`` is the number of the first trial with the same point, or None.
        """
        abandoned = self._numbers("abandoned")
        found: list[dict[str, Any]] = []
        for trial in self._study.trials:
            if "record" in trial.user_attrs and trial.state.is_finished() and trial.number not in abandoned:
                record = trial.user_attrs["record"]
                first = next((other["number"] for other in found if other["words"] == record["words"]), None)
                found.append({"number": len(found) + 1, "repeats": first, **record})
        return found

    def recover(self, *, retry_failed: bool) -> int:
        """Mark trials that a dead process left running as failed, and queue them again.

        With ``retry_failed`` failed trials are queued too. Returns how many trials are queued.
        """
        state = self._optuna.trial.TrialState
        running = [trial for trial in self._study.trials if trial.state == state.RUNNING]
        failed = [trial for trial in self._study.trials if retry_failed and trial.state == state.FAIL]
        abandoned = self._numbers("abandoned") | {trial.number for trial in [*running, *failed]}
        # written first, so that the next command still finds them after a second crash
        self._study.set_user_attr("abandoned", sorted(abandoned))
        for trial in running:
            self._study.tell(trial.number, state=state.FAIL)
        queued = {trial.user_attrs.get("retry_of") for trial in self._study.trials}
        again = [trial for trial in self._study.trials if trial.number in abandoned - queued and trial.params]
        for trial in again:
            self._study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        return len(again)

    def ask(self) -> Any:
        """Return the next trial; its sampler is seeded with the number of trials before it."""
        self._study.sampler = self._sampler(len(self.records()))
        return self._study.ask()

    def tell(self, trial: Any, record: Mapping[str, Any]) -> None:
        """Tell Optuna the result of a trial.

        Its values are the means over the seeds; the constraints of the gate decide whether it is feasible.
        """
        trial.set_user_attr("record", dict(record))
        values = None
        if record["state"] == "done":
            values = [record["metrics"][name]["value"] for name in self.config.objectives]
            for name, violation in record["violations"].items():
                trial.set_constraint(name, violation)
        self._study.tell(trial, values, self._optuna.trial.TrialState[STATES[record["state"]]])

    def is_retry(self, trial: Any) -> bool:
        """Whether the trial repeats one that was interrupted or had failed."""
        return "retry_of" in trial.user_attrs

    def _numbers(self, name: str) -> set[int]:
        return set(self._study.user_attrs.get(name, []))

    def _sampler(self, index: int) -> Any:
        config, samplers = self.config, self._optuna.samplers
        seed = int(digest_of([config.seed, index])[:8], 16)
        population = config.population or max(8, config.trials // 5)
        with _without_warnings():
            if config.sampler == "tpe":
                return samplers.TPESampler(seed=seed, n_startup_trials=config.startup)
            if config.sampler == "gp":
                return samplers.GPSampler(
                    seed=seed, n_startup_trials=config.startup, warn_independent_sampling=False
                )
            if config.sampler == "nsga2":
                return samplers.NSGAIISampler(seed=seed, population_size=population)
            if config.sampler == "nsga3":
                return samplers.NSGAIIISampler(seed=seed, population_size=population)
            return samplers.RandomSampler(seed=seed)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Ignore warnings: Optuna warns about an experimental sampler each time one is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _cut_partial_line(path: Path) -> None:
    """Cut off a last line that has no line break at its end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)


def _definition_problems(
    name: str, folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[Problem]:
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return [
        Problem(
            f"the search {name} was started with {key}: {old.get(key)!r}, now it is {new.get(key)!r}",
            f"give the new search another name (name: ...), or delete {folder}",
        )
        for key in changed
    ]
