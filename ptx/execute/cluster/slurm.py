"""Run a sweep as Slurm jobs, through submitit.

The command submits the jobs and returns. The same command again collects the results and submits what is
left.

Each pending run is one task of a job array and has a ``job.json`` in its folder. A job that is preempted or
reaches its time limit is queued again by submitit; it continues with what the store and the step's
checkpoints hold. A job that dies in another way leaves no result. The next command learns this from
``sacct``, records the run as failed with the end of the job's log, and prints the reason. The command after
that submits it again (in a sweep of several runs only with ``--retry-failed``). Tested against stand-ins for
Slurm's commands, not on a real cluster.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.execute.cluster.frozen import run_frozen
from ptx.execute.launchers import Slurm
from ptx.execute.process import last_lines
from ptx.execute.sweep import (
    DONE,
    FAILED,
    Outcome,
    error_message,
    freeze_run,
    status_of,
    sweep_record,
    write_result,
)
from ptx.files import read_json, write_json
from ptx.guard.scratch import outliving
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import RunPlan, SweepPlan

#: sacct's names of the states of a job that has not ended
UNDER_WAY = (
    *("PENDING", "RUNNING", "REQUEUED", "COMPLETING", "CONFIGURING", "SUSPENDED", "RESIZING", "PREEMPTED"),
    *("REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "SIGNALING", "STAGE_OUT"),
)
#: seconds for which sacct may not know a job that was just submitted
PATIENCE = 600.0


@dataclass(frozen=True)
class FrozenRun:
    """The function that a job calls.

    submitit pickles it, and calls ``checkpoint`` after a preemption to learn what to queue.
    """

    folder: str
    desk: str

    def __call__(self) -> dict[str, Any]:
        """Execute the run; returns its status and, if it failed, the error."""
        return run_frozen(self.folder, self.desk)

    def checkpoint(self) -> Any:
        """Queue the same run again: the store holds what it has finished."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def run_on_slurm(
    plan: SweepPlan, host: Host, console: Console, cluster: Slurm, *, retry_failed: bool = True
) -> Outcome:
    """Collect the jobs that have ended, submit the runs that are neither done nor queued, and return."""
    jobs = {
        run.id: read_json(path) for run in plan.runs if (path := plan.folder / run.id / "job.json").exists()
    }
    states = states_of(jobs)
    failed: list[tuple[str, str]] = []
    left: list[tuple[str, str]] = []
    todo: list[RunPlan] = []
    done = kept = waiting = 0
    for run in plan.runs:
        folder, job = plan.folder / run.id, jobs.get(run.id)
        fresh = job is not None and not job["collected"]
        status = status_of(folder)
        if fresh and job is not None and status == "unfinished" and is_under_way(job, states[run.id]):
            waiting += 1
        elif status == DONE:
            done, kept = done + fresh, kept + (not fresh)
        elif fresh and job is not None:
            failed.append((run.id, _message(folder, job, states[run.id])))
        elif status == FAILED and not retry_failed:
            left.append((run.id, error_message(folder)))
        else:
            todo.append(run)
            continue
        if fresh and job is not None and (folder / "result.json").exists():
            write_json(folder / "job.json", job | {"collected": True})
    if todo:
        _submit(plan, todo, host, console, cluster)
    return Outcome(done, kept, tuple(failed), waiting=waiting + len(todo), left=tuple(left))


def states_of(jobs: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return run id -> the state of its job in sacct's words; sacct is called once."""
    from submitit import SlurmJob

    known = {
        name: SlurmJob(folder=job["folder"], job_id=job["id"], tasks=[0])
        for name, job in jobs.items()
        if not job["collected"]
    }
    if known:
        SlurmJob.watcher.update()
    states = {
        name: SlurmJob.watcher.get_state(job.job_id, mode="cache").partition(" ")[0]
        for name, job in known.items()
    }
    return dict.fromkeys(jobs, "") | states


def is_under_way(job: dict[str, Any], state: str) -> bool:
    """Whether a job may still write a result."""
    return state in UNDER_WAY or (state == "UNKNOWN" and time.time() - job["submitted"] < PATIENCE)


def _message(folder: Path, job: dict[str, Any], state: str) -> str:
    """Return why a run failed; if its job died, write that into the run's record first."""
    if status_of(folder) != "unfinished":
        return error_message(folder)
    log = Path(job["log"])
    message = f"Slurm job {job['id']} ended as {state} without a result; the end of its output is in {log}"
    error = {"type": "JobDied", "message": message, "traceback": last_lines(log)}
    write_result(folder, {"status": FAILED, "error": error}, job["submitted"])
    return message


def _submit(plan: SweepPlan, runs: Sequence[RunPlan], host: Host, console: Console, cluster: Slurm) -> None:
    from submitit import SlurmExecutor

    plan.folder.mkdir(parents=True, exist_ok=True)
    write_json(plan.folder / "sweep.json", sweep_record(plan))
    for run in runs:
        (plan.folder / run.id / "job.json").unlink(missing_ok=True)
        freeze_run(plan, run, host)
    logs = (plan.folder / "slurm").absolute()
    executor = SlurmExecutor(folder=logs, max_num_timeout=cluster.requeues)
    executor.update_parameters(**options(plan.name, cluster))
    with outliving(), executor.batch():
        submitted = [
            executor.submit(FrozenRun(str((plan.folder / run.id).absolute()), str(Path.cwd())))
            for run in runs
        ]
    for run, job in zip(runs, submitted, strict=True):
        note = {
            "engine": "slurm",
            "id": job.job_id,
            "folder": str(logs),
            "log": str(job.paths.stderr),
            "submitted": time.time(),
        }
        write_json(plan.folder / run.id / "job.json", note | {"collected": False})
        console.say(f"Slurm job {job.job_id}: {run.label}")


def options(name: str, cluster: Slurm) -> dict[str, Any]:
    """Return the settings as parameters of submitit (``mem``, ``time``, ...)."""
    given = {
        "job_name": f"ptx-{name}"[:60],
        "time": cluster.minutes,
        "cpus_per_task": cluster.cpus,
        "array_parallelism": cluster.parallel,
        "partition": cluster.partition,
        "account": cluster.account,
        "mem": f"{cluster.memory_gb}GB" if cluster.memory_gb else None,
        "gpus_per_node": cluster.gpus or None,
        "exclusive": cluster.exclusive or None,
        "additional_parameters": cluster.args or None,
    }
    return {key: value for key, value in given.items() if value is not None}
