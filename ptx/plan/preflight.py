"""Checks before weights are loaded: the problems that the core finds (plugins: ``ptx_validate``)."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ptx.config import Compressor, Maker, Method, Part, RunConfig
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.reading import kind_of, reason
from ptx.guard.system import cause_of
from ptx.hooks.host import Host
from ptx.models.contradictions import refusals
from ptx.models.finding import COMPRESS, EXPORT, TRAIN
from ptx.models.package import read_package
from ptx.plan.plan import RunPlan
from ptx.records import ModelRef
from ptx.store.store import KINDS, WORKING, Store

#: a training step writes its model, and at most two checkpoints with two moments per weight, as 4-byte floats
BYTES_PER_TRAINED_PARAMETER = 4 * (1 + 2 * 3)


def environment_problems(step: Part) -> Sequence[Problem]:
    """The problems of the environment that a step runs in; none where that is this one."""
    try:
        if outside := step.outside():
            outside.identity()
    except ConfigError as error:
        return error.problems
    return ()


def scorer_problems(config: RunConfig) -> list[Problem]:
    """The scorers that a step, an evaluator or the decoding needs and that are not configured."""
    parts = [*config.chain().values(), *config.eval.values(), *filter(None, [config.decode])]
    asked = [name for part in parts for name in part.scorers()]
    unknown = [name for name in dict.fromkeys(asked) if name not in config.scorer]
    return [Problem(f"no scorer {name!r}", did_you_mean(name, list(config.scorer))) for name in unknown]


def serving_problems(config: RunConfig, host: Host) -> list[Problem]:
    """The problem of evaluators on a runtime that only exports."""
    if not config.eval or config.runtime.serves:
        return []
    what = (
        f"runtime={host.choice_of(config.runtime).name} is exported, not served:"
        f" eval=[{','.join(config.eval)}] has nothing to measure"
    )
    return [Problem(what, "write eval=[], or choose another runtime")]


def configs_by_method(config: RunConfig) -> list[tuple[str, RunConfig]]:
    """(name of the step, configuration with this method only) for every method of the run.

    Plugins check one method at a time, and a recipe may hold several. The first configuration also has the
    compressors.
    """
    chain = config.chain()
    methods = {name: step for name, step in chain.items() if isinstance(step, Method)}
    if config.recipe:
        first = next(iter(methods), "")
        compress = {
            name: step for name, step in chain.items() if isinstance(step, Compressor) and name not in methods
        }
        parts = [(first, dataclasses.replace(config, method=methods.get(first), compress=compress))]
    else:
        first, parts = "method", [("method", config)]
    return parts + [
        (name, dataclasses.replace(config, method=step, compress={}))
        for name, step in methods.items()
        if name != first
    ]


def place_of(name: str, config: RunConfig) -> str:
    """Where the fields of a step are typed: ``recipe.steps.NAME``, ``compress.NAME`` or a group."""
    if config.recipe:
        return f"recipe.steps.{name}"
    return f"compress.{name}" if name in config.compress else "make" if name == "make" else "method"


def package_problems(config: RunConfig, model: ModelRef, host: Host) -> list[Problem]:
    """The problems of a run that starts from a package, which can only be measured, on its own runtime."""
    if model.kind != "package":
        return []
    package, runtime = read_package(model.path), host.choice_of(config.runtime).name
    found = []
    if any(not isinstance(step, Maker) for step in config.chain().values()):
        what = (
            f"{model.path} is a package of runtime={package['runtime']}: it cannot be trained or compressed"
        )
        found.append(Problem(what, "start from the model that it was exported from"))
    if runtime != package["runtime"]:
        what = (
            f"{model.path} is a package of runtime={package['runtime']}, and runtime={runtime} cannot open it"
        )
        found.append(Problem(what, f"type runtime={package['runtime']}"))
    if config.baseline_runtime is not None and config.baseline_runtime != config.runtime:
        what = (
            f"{model.path} is a package of runtime={package['runtime']}, and baseline_runtime= cannot open it"
        )
        fix = "leave baseline_runtime out, or start from the model that it was exported from"
        found.append(Problem(what, fix))
    return found


def contradiction_problems(config: RunConfig, model: ModelRef) -> list[Problem]:
    """What the model folder contradicts itself about, as far as a step of the run would spread it."""
    if model.kind == "package":
        return []
    uses = {kind_of_part(step) for step in config.chain().values() if not isinstance(step, Maker)}
    if config.runtime.exports:
        uses.add(EXPORT)
    return refusals(model.path, *uses)


def kind_of_part(step: Part) -> str:
    """What a step does to a model folder, in the words of a finding."""
    return TRAIN if isinstance(step, Method) else COMPRESS


def folder_problems(out: Path) -> list[Problem]:
    """The problem of an output folder that cannot be made or written to.

    It is one also where a file stands in the place of a folder of the store: a step would fail when its work
    is done.
    """
    for name in ("", "runs", "store", *(f"store/{one}" for one in (*KINDS, *WORKING))):
        if kind := kind_instead(out.absolute() / name):
            what = f"out={out}: {out.absolute() / name} is {kind}, not a folder"
            return [Problem(what, "move it away, or name another folder: out=/another/ptx-out")]
    # a read-only store serves what it has: a run that needs more says so
    found = [_unwritable(out, folder) for folder in (out.absolute(), out.absolute() / "runs")]
    return [problem for problem in found if problem is not None][:1]


def _unwritable(out: Path, folder: Path) -> Problem | None:
    try:
        while not folder.exists():
            folder = folder.parent
        usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        what, fix = cause_of(error) or (reason(error), "")
        return Problem(f"out={out}: {what}", fix)
    if usable:
        return None
    if not folder.is_dir():
        what = f"{folder} is {kind_of(folder.stat().st_mode)}, not a folder"
    elif os.statvfs(folder).f_flag & os.ST_RDONLY:
        what = f"the file system of {folder} is read-only"
    else:
        what = f"this user may not write to {folder}"
    return Problem(f"out={out}: {what}", "name a folder that can be written to: out=/another/ptx-out")


def kind_instead(folder: Path) -> str:
    """What stands in the place of a folder, in words; empty for a folder, and where nothing stands yet."""
    try:
        if not os.path.lexists(folder) or folder.is_dir():
            return ""
        return kind_of(folder.stat().st_mode)
    except OSError:
        return "a link that leads nowhere" if folder.is_symlink() else ""


def disk_problems(runs: Sequence[RunPlan], out: Path) -> list[Problem]:
    """The problem of a disk with less room than the steps may need that are not in the store yet."""
    store, needed = Store(out.absolute() / "store"), 0
    todo = {step.key: (step, run) for run in runs for step in run.steps if store.find(step.identity) is None}
    largest = 0
    for step, run in todo.values():
        needed += 0 if step.kind == "make" else max(run.facts.bytes, 4 * run.facts.parameters)
        if step.kind == "train":
            largest = max(largest, BYTES_PER_TRAINED_PARAMETER * run.facts.parameters)
    needed += largest
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    begun = sum(store.staged_bytes(key) for key in todo)  # a step that continues writes in place of these
    if needed <= free + begun:
        return []
    steps = "1 step" if len(todo) == 1 else f"{len(todo)} steps"
    return [
        Problem(
            f"{steps} may write {(needed - begun) / 1e6:,.0f} MB, {folder} has {free / 1e6:,.0f} MB free",
            "free some space, or write elsewhere with out=/another/disk/ptx-out",
        )
    ]
