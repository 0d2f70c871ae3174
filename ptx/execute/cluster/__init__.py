"""Running a sweep on other machines: Slurm (through submitit) or Ray.

Both execute frozen runs on a file system that they share with this machine. Composing, planning and reporting
happen on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptx.compose.jobs import Job
from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem
from ptx.execute.launchers import Ray
from ptx.execute.sweep import Outcome
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import SweepPlan


def check_cluster(jobs: Sequence[Job]) -> None:
    """Check ``cluster=`` before anything is planned or submitted.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems: list[Problem] = []
    for job in jobs:
        config = job.config
        if config.cluster is None:
            continue
        problems += config.cluster.problems(config)
        if config.workers:
            problems.append(
                Problem(
                    "workers= and cluster= are both given",
                    "workers are processes on this machine: leave one out",
                )
            )
        if any(key.partition(".")[0] == "cluster" for key in job.varied):
            problems.append(
                Problem("cluster= cannot be swept: a sweep goes to one place", "give it one value")
            )
    if problems:
        raise ConfigError(problems)


def run_on_cluster(
    plan: SweepPlan,
    host: Host,
    console: Console,
    config: RunConfig,
    *,
    fail_fast: bool = False,
    retry_failed: bool = True,
) -> Outcome:
    """Run the unfinished runs on the cluster that ``config.cluster`` names."""
    if isinstance(config.cluster, Ray):
        from ptx.execute.cluster import ray

        return ray.run_on_ray(
            plan, host, console, config.cluster, fail_fast=fail_fast, retry_failed=retry_failed
        )
    from ptx.execute.cluster import slurm

    return slurm.run_on_slurm(plan, host, console, config.cluster, retry_failed=retry_failed)
