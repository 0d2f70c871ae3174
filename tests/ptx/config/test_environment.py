"""A step in another environment: a real venv with a library that this one does not have."""

from __future__ import annotations

import json
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from ptx import (
    Choice,
    Compressor,
    ConfigError,
    Evaluation,
    Evaluator,
    Metric,
    Outside,
    Runtime,
    hookimpl,
    setting,
)
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.models.package import read_package
from ptx.plan.planner import make_plan
from ptx.testing import Silent

SCRIPT = """
import json, shutil, struct, sys
import otherlib  # only there
spec = json.load(open(sys.argv[1]))
if spec["config"]["share"] > 1:
    raise SystemExit("no share above 1")
with open(spec["messages"], "a") as messages:
    rows = len(open(spec["data"]).readlines())
    messages.write(json.dumps({"say": f"otherlib {otherlib.VERSION}, {rows} rows"}) + "\\n")
    messages.write(json.dumps({"log": [{"share": spec["config"]["share"]}, 1, 1]}) + "\\n")
shutil.copytree(spec["model"], spec["folder"], dirs_exist_ok=True)
weights = spec["folder"] + "/model.safetensors"
content = open(weights, "rb").read()
value = otherlib.scaled(struct.unpack("<f", content[-4:])[0], spec["config"]["share"])
open(weights, "wb").write(content[:-4] + struct.pack("<f", value))
"""


@dataclass
class Scale(Compressor):
    needs = ("text",)
    share: float = setting(0.5, "what is left of a weight")
    python: str = setting("", "Python of the environment", identity=False)

    def outside(self):
        return Outside(Path("scale.py").absolute(), self.python, "compress.scale.python")


class Plugin:
    @hookimpl
    def ptx_choices(self):
        return [Choice("compress", "scale", Scale)]


@pytest.fixture
def other(desk, tmp_path_factory, monkeypatch):
    """The environment: a venv without pip, into which a library is put."""
    monkeypatch.delenv("PTX_STEP_PYTHON", raising=False)
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    install(folder, "1.0")
    (desk / "scale.py").write_text(SCRIPT)
    return folder


def install(folder, version):
    (site,) = folder.glob("lib/python*/site-packages")
    for old in site.glob("otherlib*"):
        old.rename(folder / f"{old.name}.{len(list(folder.iterdir()))}")
    (site / "otherlib.py").write_text(
        f"VERSION = {version!r}\ndef scaled(value, share):\n    return value * share\n"
    )
    info = site / f"otherlib-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: otherlib\nVersion: {version}\n")


@pytest.fixture
def plan(toy, host_with):
    def make(other, *words, python=True):
        host = host_with(toy=toy, scale=Plugin())
        fixed = ["model=./model", "data=./text.jsonl", "compress=[scale]", "eval=[latency]", "baseline=false"]
        fixed += [f"compress.scale.python={other}/bin/python"] if python else []
        return host, make_plan(host, "compress", compose_jobs(host, "compress", [*fixed, *words]), "ptx test")

    return make


def test_a_step_runs_where_its_library_is_and_reports_from_there(other, plan):
    with pytest.raises(ModuleNotFoundError):
        __import__("otherlib")
    host, made = plan(other)
    console = Silent()
    assert run_sweep(made, host, console).failed == ()
    result = read_json(made.folder / made.runs[0].id / "result.json")
    assert result["metrics"][0]["value"] == 0.5
    assert result["steps"][0]["metrics"] == {"share": 0.5}
    assert "scale: otherlib 1.0, 5 rows" in console.said
    assert not list(Path(result["model"]["path"]).parent.glob("outside"))


def test_the_python_its_distributions_and_the_script_are_in_the_key_and_its_place_is_not(
    other, plan, desk, monkeypatch
):
    first = plan(other)[1].runs[0].steps[0]
    assert first.identity.ingredients["outside"]["distributions"] == {"otherlib": "1.0"}
    monkeypatch.setenv("PTX_STEP_PYTHON", f"{other}/bin/python3")
    assert plan(other, python=False)[1].runs[0].steps[0].key == first.key
    install(other, "1.1")
    second = plan(other)[1].runs[0].steps[0]
    (desk / "scale.py").write_text(SCRIPT + "# changed")
    assert len({first.key, second.key, plan(other)[1].runs[0].steps[0].key}) == 3


def test_a_missing_environment_and_a_wrong_one_are_reported_before_anything_starts(other, plan, desk):
    with pytest.raises(
        ConfigError,
        match=r"none is named; compress\.scale\.python=/path/to/venv/bin/python, or PTX_STEP_PYTHON=",
    ):
        plan(other, python=False)
    with pytest.raises(ConfigError, match="there is no Python at"):
        plan(desk / "nowhere")
    (desk / "bin").mkdir()
    (desk / "bin" / "python").write_text("#!/bin/sh\necho no\n")
    (desk / "bin" / "python").chmod(0o755)
    with pytest.raises(ConfigError, match="does not list its distributions"):
        plan(desk)
    assert not (desk / "ptx-out").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (SCRIPT, "scale.py ended with exit code 1; the end of its output is in"),
        ("import sys", "scale.py ended with exit code 0 but wrote nothing"),
        ("import os; os.kill(os.getpid(), 9)", "scale.py was killed by SIGKILL (out of memory?)"),
        (
            (
                "import json, sys; open(json.load(open(sys.argv[1]))['messages'], 'w').write('{\"shout\":"
                " 1}\\n')"
            ),
            "scale.py reported ['shout']; it may report say and log",
        ),
    ],
    ids=["raises", "writes nothing", "killed", "babbles"],
)
def test_a_script_that_fails_fails_its_run_with_the_reason(other, plan, desk, script, message):
    (desk / "scale.py").write_text(script)
    host, made = plan(other, "compress.scale.share=2")
    ((name, error),) = run_sweep(made, host, Silent()).failed
    assert message in error
    if script == SCRIPT:
        assert "no share above 1" in read_json(made.folder / name / "result.json")["error"]["traceback"]
    assert [
        event for event in read_rows(made.folder / name / "events.jsonl") if event["event"] == "step_finished"
    ] == []
    assert json.loads((made.folder / name / "result.json").read_text())["status"] == "failed"


EXPORT = """
import json, sys
import otherlib  # only there
spec = json.load(open(sys.argv[1]))
assert spec["kind"] == "export"
open(spec["folder"] + "/box.bin", "wb").write(open(spec["model"] + "/model.safetensors", "rb").read()[-4:])
json.dump({"writer": otherlib.VERSION}, open(spec["folder"] + "/package.json", "w"))
"""


@dataclass
class Box(Runtime):
    exports: ClassVar[bool] = True
    python: str = setting("", "Python of the environment", identity=False)

    def outside(self):
        return Outside(Path("box.py").absolute(), self.python, "runtime.python", Path("box.txt"))


@dataclass
class Weigh(Evaluator):
    pass


class BoxPlugin:
    """Exports in another environment, opens in this one; its wrappers see every result."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def ptx_choices(self):
        return [Choice("runtime", "box", Box), Choice("eval", "weigh", Weigh)]

    @hookimpl(wrapper=True)
    def ptx_export(self, runtime):
        made = yield
        self.seen.append(("export", made.kind, read_package(made.path)["runtime"]))
        return made

    @hookimpl(wrapper=True)
    def ptx_compress(self, compressor):
        made = yield
        self.seen.append(("compress", made.kind, type(compressor).__name__))
        return made

    @hookimpl
    def ptx_load(self, runtime, model):
        return Opened((model.path / "box.bin").stat().st_size) if isinstance(runtime, Box) else None

    @hookimpl
    def ptx_evaluate(self, evaluator, lm):
        return (
            Evaluation([Metric("weigh/bytes", lm.value, "B", "lower", lm.value, lm.value, 1)], [])
            if isinstance(evaluator, Weigh)
            else None
        )


class Opened:
    def __init__(self, value):
        self.value = float(value)

    def close(self):
        pass


@pytest.fixture
def boxed(toy, host_with, other, desk):
    (desk / "box.py").write_text(EXPORT)
    plugin = BoxPlugin()
    host = host_with(toy=toy, scale=Plugin(), box=plugin)

    def make(verb, *words):
        return make_plan(
            host,
            verb,
            compose_jobs(host, verb, ["runtime=box", "eval=[weigh]", "baseline=false", *words]),
            "ptx test",
        )

    return host, plugin, make


def test_an_export_from_another_environment_is_a_package_and_wrappers_see_it(boxed, other, desk):
    host, plugin, make = boxed
    there = [f"runtime.python={other}/bin/python", f"compress.scale.python={other}/bin/python"]
    made = make("compress", "model=./model", "data=./text.jsonl", "compress=[scale]", *there)
    assert run_sweep(made, host, Silent()).failed == ()
    assert plugin.seen == [("compress", "full", "Scale"), ("export", "package", "box")]
    result = read_json(made.folder / made.runs[0].id / "result.json")
    package = read_package(Path(result["model"]["path"]))
    assert package["writer"] == "1.0"
    assert package["source"] != result["model"]["digest"]
    assert result["metrics"][0]["value"] == 4.0


def test_a_package_from_another_environment_is_opened_without_it_and_made_only_with_it(boxed, other, desk):
    host, _, make = boxed
    with pytest.raises(
        ConfigError, match=r"box\.py runs in .* VENV/bin/pip install -r box\.txt, then runtime\.python="
    ):
        make("eval", "model=./model")
    made = make("eval", "model=./model", f"runtime.python={other}/bin/python")
    assert run_sweep(made, host, Silent()).failed == ()
    package = read_json(made.folder / made.runs[0].id / "result.json")["model"]["path"]
    again = make("eval", f"model={package}")
    assert run_sweep(again, host, Silent()).failed == ()
    assert "outside" not in again.runs[0].evaluations[0].identity.ingredients["runtime"]
