"""Checks before weights are loaded."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import pytest

from ptx import Choice, Compressor, Evaluator, Outside, Runtime, hookimpl
from ptx.config import RunConfig
from ptx.execute.sweep import run_sweep
from ptx.models.package import write_package
from ptx.plan.preflight import (
    configs_by_method,
    disk_problems,
    environment_problems,
    folder_problems,
    package_problems,
    place_of,
    scorer_problems,
    serving_problems,
)
from ptx.records import ModelRef
from ptx.testing import Silent


@dataclass
class Asking(Evaluator):
    def scorers(self):
        return ["strct", "strct"]


@dataclass
class Shelf(Runtime):
    serves: ClassVar[bool] = False


@dataclass
class Packed(Runtime):
    pass


class Plugin:
    @hookimpl
    def ptx_choices(self):
        return [
            Choice("runtime", "shelf", Shelf),
            Choice("runtime", "packed", Packed),
            Choice("eval", "asking", Asking),
        ]


@pytest.fixture
def host(host_with, toy):
    return host_with(toy=toy, plugin=Plugin())


def test_a_scorer_that_is_not_configured_is_named_once_with_the_nearest_one():
    config = RunConfig(eval={"asking": Asking()}, scorer={"strict": None})
    assert [str(problem) for problem in scorer_problems(config)] == [
        "no scorer 'strct'; did you mean 'strict'?"
    ]


def test_nothing_is_measured_on_a_runtime_that_only_exports(host):
    config = RunConfig(eval={"asking": Asking()}, runtime=Shelf())
    (problem,) = serving_problems(config, host)
    assert str(problem).startswith("runtime=shelf is exported, not served: eval=[asking] has nothing")
    assert serving_problems(RunConfig(runtime=Shelf()), host) == []
    assert serving_problems(RunConfig(eval={"asking": Asking()}, runtime=Packed()), host) == []


def test_a_missing_environment_is_a_problem_and_this_one_is_none(tmp_path):
    class Elsewhere(Compressor):
        def outside(self):
            return Outside(tmp_path / "script.py", str(tmp_path / "python"), "compress.x.python")

    assert environment_problems(Compressor()) == ()
    (problem,) = environment_problems(Elsewhere())
    assert problem.what == f"there is no Python at {tmp_path / 'python'}"


def test_plugins_check_one_method_at_a_time(config_of, desk):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "three.yaml").write_text(
        "steps:\n  a: {method: toy, rate: 0.1}\n  prune: {compress: halve}\n  b: {method: toy, rate: 0.2}\n"
    )
    recipe = config_of("method=null", "recipe=three")
    assert [(name, part.method.rate, list(part.compress)) for name, part in configs_by_method(recipe)] == [
        ("a", 0.1, ["prune"]),
        ("b", 0.2, []),
    ]
    assert place_of("a", recipe) == "recipe.steps.a"
    short = config_of("compress=[halve]")
    assert configs_by_method(short) == [("method", short)]
    assert (place_of("method", short), place_of("halve", short)) == ("method", "compress.halve")


def test_a_package_is_measured_on_its_own_runtime_and_nothing_else(host, config_of, tmp_path):
    write_package(tmp_path, "packed", "digest", {})
    package = ModelRef(tmp_path, kind="package")
    right = config_of("method=null", "runtime=packed", host=host)
    assert package_problems(right, package, host) == []
    wrong = config_of("runtime=hf", "baseline_runtime=packed", host=host)
    assert [str(problem) for problem in package_problems(wrong, package, host)] == [
        (
            f"{tmp_path} is a package of runtime=packed: it cannot be trained or compressed; start from the"
            " model that it was exported from"
        ),
        (f"{tmp_path} is a package of runtime=packed, and runtime=hf cannot open it; type runtime=packed"),
        (
            f"{tmp_path} is a package of runtime=packed, and baseline_runtime= cannot open it; leave"
            " baseline_runtime out, or start from the model that it was exported from"
        ),
    ]
    assert package_problems(wrong, ModelRef(tmp_path), host) == []


def a_file(place):
    place.write_text("x")


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        (a_file, "a file"),
        (os.mkfifo, "a pipe"),
        (lambda place: place.symlink_to("/nowhere/x"), "a link that leads nowhere"),
        (lambda place: place.symlink_to(place), "a link that leads nowhere"),
    ],
)
@pytest.mark.parametrize("name", ["", "runs", "store", "store/steps", "store/staging", "store/locks"])
def test_what_stands_in_the_place_of_a_folder_is_named_before_anything_runs(tmp_path, name, do, kind):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    do(out / name)
    (problem,) = folder_problems(out)
    assert problem.what == f"out={out}: {out / name} is {kind}, not a folder"
    assert problem.fix == "move it away, or name another folder: out=/another/ptx-out"


def test_folders_and_links_to_folders_are_no_problem(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "store").symlink_to(tmp_path / "disk")
    assert folder_problems(tmp_path / "out") == []
    assert folder_problems(tmp_path / "new" / "out") == []


def test_only_steps_that_are_not_in_the_store_need_room_on_the_disk(plan_of, toy_host, monkeypatch):
    plan = plan_of("compress=[halve]")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    (problem,) = disk_problems(plan.runs, plan.out)
    assert problem.what.startswith("2 steps may write 0 MB, ")
    key = next(step.key for run in plan.runs for step in run.steps)
    begun = plan.out / "store" / "staging" / key / "who" / "checkpoints"
    begun.mkdir(parents=True)
    (begun / "half.bin").write_bytes(bytes(2_000_000))
    assert disk_problems(plan.runs, plan.out) == []  # what a killed run left is room for the same run
    run_sweep(plan, toy_host, Silent())
    assert disk_problems(plan.runs, plan.out) == []
