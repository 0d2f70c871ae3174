"""Runs that end in a runtime package, on a runtime without any ML library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from ptx import Choice, Evaluation, Evaluator, Metric, ModelRef, Runtime, hookimpl, setting
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.models.inspection import inspect, problems
from ptx.models.package import read_package, write_package
from ptx.plan.planner import make_plan
from ptx.testing import Silent
from tests.conftest import make_host, read_model, write_model

BASE = ["model=./model", "data=./text.jsonl", "eval=[beside]"]


@dataclass
class Boxed(Runtime):
    exports: ClassVar[bool] = True
    precision: str = setting("int4", "bits")


@dataclass
class Shelf(Runtime):
    exports: ClassVar[bool] = True
    serves: ClassVar[bool] = False


@dataclass
class Beside(Evaluator):
    opens_model: ClassVar[bool] = True
    compares: ClassVar[bool] = True


class Opened:
    def __init__(self, value: float) -> None:
        self.value = value

    def close(self) -> None:
        pass


class BoxPlugin:
    """Exports a model into a box, and can open nothing else."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @hookimpl
    def ptx_choices(self) -> list[Choice]:
        return [
            Choice("runtime", "boxed", Boxed),
            Choice("runtime", "shelf", Shelf),
            Choice("eval", "beside", Beside),
        ]

    @hookimpl
    def ptx_export(self, run: Any, runtime: Any, model: ModelRef) -> ModelRef | None:
        self.calls.append(f"export {read_model(model.path):.2f}")
        folder = run.folder / "box"
        folder.mkdir()
        (folder / "value").write_text(str(read_model(model.path)))
        write_package(folder, "boxed", model.digest, {"parameters": 1})
        run.log({"kl": 0.5}, 1, 1)
        return ModelRef.of(folder, "package")

    @hookimpl
    def ptx_load(self, runtime: Any, model: ModelRef) -> Opened | None:
        if not isinstance(runtime, Boxed):
            return None
        assert model.kind == "package"
        return Opened(float((model.path / "value").read_text()))

    @hookimpl
    def ptx_evaluate(
        self, run: Any, evaluator: Any, model: ModelRef, lm: Any, baseline: ModelRef
    ) -> Evaluation | None:
        if not isinstance(evaluator, Beside):
            return None
        base = run.load(baseline)
        self.calls.append(f"compare {lm.value:.2f} {base.value:.2f}")
        return Evaluation([Metric("beside/value", lm.value - base.value, "s", "lower", -9.0, 9.0, 1)])


@pytest.fixture
def box() -> BoxPlugin:
    return BoxPlugin()


@pytest.fixture
def host(toy, box):
    return make_host(toy=toy, box=box)


def planned(host, *words, verb="compress", multirun=False):
    return make_plan(host, verb, compose_jobs(host, verb, [*BASE, *words], multirun=multirun), "ptx test")


def run(host, *words, **options):
    plan = planned(host, *words, **options)
    return plan, run_sweep(plan, host, Silent())


def test_a_run_ends_in_a_package_and_compares_with_the_baselines_package(host, box, desk):
    plan, outcome = run(host, "compress=[halve]", "runtime=boxed")
    assert (outcome.done, outcome.failed) == (2, ())
    assert box.calls == ["export 0.50", "export 1.00", "compare 0.50 1.00", "compare 1.00 1.00"]
    result = read_json(plan.folder / plan.runs[1].id / "result.json")
    assert [step["kind"] for step in result["steps"]] == ["compress", "export"]
    assert (result["model"]["kind"], result["model"]["runtime"]) == ("package", "boxed")
    assert result["steps"][1]["metrics"] == {"kl": 0.5}


def test_without_a_baseline_run_the_reference_is_exported_when_an_evaluator_needs_it(host, box, desk):
    run(host, "compress=[halve]", "runtime=boxed", "baseline=false")
    assert box.calls == ["export 0.50", "export 1.00", "compare 0.50 1.00"]


def test_a_model_that_is_only_exported_is_its_own_baseline(host, box, desk):
    plan, _ = run(host, "runtime=boxed", verb="eval")
    assert [planned.baseline for planned in plan.runs] == [False]
    assert box.calls == ["export 1.00", "compare 1.00 1.00"]


def test_a_list_of_runtimes_is_every_model_on_each_of_them(host, toy, box, desk):
    plan = planned(host, "compress=[halve]", "runtime=[hf,boxed]", "eval=[latency]")
    assert [run.label for run in plan.runs] == [
        "baseline runtime=hf",
        "baseline runtime=boxed",
        "runtime=hf",
        "runtime=boxed",
    ]
    swept = planned(host, "compress=[halve]", "runtime=hf,boxed", "eval=[latency]", multirun=True)
    assert [run.label for run in swept.runs] == [run.label for run in plan.runs]
    assert {step.name for run in plan.runs for step in run.steps} == {"halve", "boxed"}
    with pytest.raises(ConfigError, match="add -m"):
        planned(host, "runtime=hf,boxed", "compress=[halve]")


def test_a_package_can_be_measured_on_its_own_runtime(host, box, desk):
    plan, _ = run(host, "runtime=boxed", verb="eval")
    box.calls.clear()
    link = (plan.folder / plan.runs[0].id / "model").resolve()
    (desk / "pkg").symlink_to(link)
    again, outcome = run(host, "model=./pkg", "runtime=boxed", verb="eval")
    assert outcome.failed == ()
    assert again.runs[0].steps == ()
    assert again.runs[0].model.kind == "package"
    assert box.calls == ["compare 1.00 1.00"]
    assert inspect(desk / "pkg").parameters == 1


def test_a_package_is_nothing_to_train_or_compress_and_no_other_runtime_opens_it(host, desk):
    (desk / "pkg").mkdir()
    write_package(desk / "pkg", "boxed", "digest", {})
    with pytest.raises(ConfigError) as caught:
        planned(host, "model=./pkg", "compress=[halve]", "runtime=hf", "eval=[latency]")
    assert [str(problem) for problem in caught.value.problems] == [
        (
            "pkg is a package of runtime=boxed: it cannot be trained or compressed; start from the model that"
            " it was exported from"
        ),
        "pkg is a package of runtime=boxed, and runtime=hf cannot open it; type runtime=boxed",
    ]


def test_nothing_is_measured_on_a_runtime_that_serves_nothing(host, desk):
    with pytest.raises(
        ConfigError, match=r"runtime=shelf is exported, not served: eval=\[beside\] has nothing to measure"
    ):
        planned(host, "compress=[halve]", "runtime=shelf")


def test_npms_package_json_makes_no_package_of_a_model(desk):
    (desk / "model" / "package.json").write_text('{"name": "a-model-for-the-browser"}')
    assert read_package(desk / "model") == {}
    assert problems(desk / "model") == []
    write_model(desk / "other")


def test_a_package_is_described_by_its_runtime_its_source_and_its_facts(tmp_path):
    write_package(tmp_path, "onnx", "digest", {"precision": "int8"})
    assert read_package(tmp_path) == {
        "ptx_package": 1,
        "runtime": "onnx",
        "source": "digest",
        "precision": "int8",
    }


def test_the_same_package_has_the_same_digest(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_package(tmp_path / name, "onnx", "digest", {})
    assert ModelRef.of(tmp_path / "a").digest == ModelRef.of(tmp_path / "b").digest


def test_a_folder_without_a_description_is_no_package(tmp_path):
    assert read_package(tmp_path) == {}
    (tmp_path / "package.json").write_text("[1]")
    assert read_package(tmp_path) == {}
