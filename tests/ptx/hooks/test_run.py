"""The run that plugins receive: its progress, and by-products that are built once and kept in the store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ptx import ModelRef, hookimpl
from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx.hooks.run import Run
from ptx.plan.planner import make_plan
from ptx.store.store import Store
from ptx.testing import Silent

STORE = Path("ptx-out/store")


@pytest.fixture
def sharing(toy, host_with):
    """A plugin whose training asks for a product that depends on ``method.args.width`` alone."""
    built: list[Any] = []
    ordinary = type(toy).ptx_train

    class Sharing(type(toy)):
        @hookimpl
        def ptx_train(self, run, method, model, data):
            width = method.args.get("width", 1)

            def build(folder):
                built.append(width)
                if width == "broken":
                    raise OSError("told to fail")
                (folder / "features.txt").write_text(str(width))

            folder = run.product("features", {"width": width}, build)
            assert (folder / "features.txt").read_text() == str(width)
            return ordinary(self, run, method, model, data)

    return host_with(toy=Sharing()), built


def run(host, *words):
    given = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[]", *words]
    plan = make_plan(host, "train", compose_jobs(host, "train", given, multirun=True), "ptx test")
    return plan, run_sweep(plan, host, Silent())


def products():
    return [entry for entry in Store(STORE).entries() if entry.kind == "products"]


def used(plan):
    return [
        read_json(plan.folder / planned.id / "result.json")["steps"][0].get("products")
        for planned in plan.runs
    ]


def test_a_product_is_built_once_for_all_steps_of_a_sweep_and_the_record_names_it(sharing, desk):
    host, built = sharing
    plan, outcome = run(host, "method.rate=0.1,0.2,0.3", "seed=0,1")
    assert (outcome.done, outcome.failed, built) == (6, (), [1])
    (entry,) = products()
    assert entry.ingredients == {"choice": "features", "width": 1}
    assert [product for (product,) in used(plan)] == [
        {"name": "features", "key": entry.key, "shared": n > 0} for n in range(6)
    ]
    (event,) = [
        e for e in read_rows(plan.folder / plan.runs[0].id / "events.jsonl") if e["event"] == "product"
    ]
    assert (event["name"], event["key"], event["shared"]) == ("features", entry.key, False)


def test_another_ingredient_makes_another_product(sharing, desk):
    host, built = sharing
    run(host, "method.args.width=1,2", "method.rate=0.1,0.2")
    assert built == [1, 2]
    assert len({entry.key for entry in products()}) == 2


def test_a_step_from_the_store_names_the_products_that_it_was_made_with(sharing, desk):
    host, built = sharing
    run(host, "name=a")
    plan, _ = run(host, "name=b")
    assert used(plan) == [[{"name": "features", "key": products()[0].key, "shared": True}]]
    assert built == [1]


def test_a_product_that_cannot_be_built_fails_its_run_and_leaves_nothing(sharing, desk):
    host, _ = sharing
    _, outcome = run(host, "method.args.width=broken,2")
    [(_, message)] = outcome.failed
    assert message.startswith("told to fail (plugin ")
    assert [entry.ingredients["width"] for entry in products()] == [2]
    assert list((STORE / "staging").glob("*")) == list((STORE / "locks").glob("*")) == []


def test_a_damaged_product_is_set_aside_and_built_again(sharing, desk):
    host, built = sharing
    run(host)
    (products()[0].payload / "features.txt").write_text("broken")
    run(host, "method.rate=0.2")
    assert built == [1, 1]
    assert len(list((STORE / "quarantine").iterdir())) == 1


def test_outside_of_a_sweep_a_product_lies_below_the_steps_folder(tmp_path):
    run, built = Run(None, get_host(), Silent(), tmp_path, tmp_path / "events.jsonl", tmp_path, 0, "cpu"), []

    def build(folder):
        built.append(folder)
        (folder / "a").touch()

    folders = [run.product("features", {"width": width}, build) for width in (1, 1, 2)]
    assert folders[0] == folders[1] != folders[2]
    assert all((folder / "a").exists() and folder.is_relative_to(tmp_path) for folder in folders)
    assert len(built) == 2


def test_the_store_lists_explains_and_verifies_products(sharing, desk, capsys):
    host, _ = sharing
    plan, _ = run(host, "name=mine", "method.args.width=1,2")
    first, second = sorted(products(), key=lambda entry: entry.created)
    assert main(["store", "ls", "--kind", "products"]) == 0
    listed = capsys.readouterr().out
    assert first.key[:12] in listed
    assert "features" in listed
    assert "mine (1 run)" in listed
    main(["store", "why", second.key[:12]])
    assert "width  1 -> 2" in capsys.readouterr().out
    main(["store", "why", plan.runs[0].id])
    assert (
        f"features  {first.key[:12]}  miss: was not in the store, this run built it"
        in capsys.readouterr().out
    )
    (first.payload / "features.txt").write_text("3")
    assert main(["store", "verify"]) == 1
    assert f"damaged: products {first.key[:12]} (features)" in capsys.readouterr().out


def test_gc_keeps_the_products_that_the_steps_of_a_sweep_were_made_with(sharing, desk):
    host, _ = sharing
    run(host, "name=kept")
    run(host, "name=gone", "method.args.width=2")
    assert main(["store", "gc", "--unreachable-from", "kept", "--yes"]) == 0
    assert [entry.ingredients["width"] for entry in products()] == [1]
    old = time.time() - 86400 * 30
    os.utime(products()[0].folder / "entry.sha256", (old, old))
    main(["store", "gc", "--older-than", "7d", "--yes"])
    assert products() == []


def test_progress_goes_to_the_log_and_the_console_and_the_record_of_the_run(make_run, tmp_path):
    run = make_run().at(label="toy", record=tmp_path)
    run.log({"loss": 0.5}, 1, 2)
    run.say("half way")
    assert run.console.steps == [(1, {"loss": 0.5})]
    assert run.console.said == ["toy: half way"]
    assert [row["event"] for row in read_rows(run.events)] == ["log", "message"]
    assert [row["label"] for row in read_rows(tmp_path / "events.jsonl")] == ["toy", "toy"]


def test_a_waiting_run_says_who_builds_the_product(make_run):
    class Busy:
        def fetch(self, identity, build, waiting, noticed):
            waiting("process 7 on there")
            raise RuntimeError("enough")

    run = make_run().at(store=Busy())
    with pytest.raises(RuntimeError, match="enough"):
        run.product("features", {}, lambda folder: None)
    assert run.console.said == ["features: waiting for process 7 on there, which is building it"]


def test_without_decoding_a_model_is_used_as_it_is(make_run):
    run, lm = make_run(), object()
    assert run.decoding(lm) is lm


def test_the_baseline_is_measured_on_its_own_runtime_where_one_is_given(make_run):
    run = make_run(runtime="onnx", baseline_runtime="hf")
    assert run.of_baseline().config.runtime == "hf"
    assert make_run(runtime="onnx").of_baseline().config.runtime == "onnx"


def test_a_model_is_lent_once_for_each_runtime(make_run, monkeypatch):
    run = make_run(runtime="onnx", baseline_runtime="hf").at(lent={})
    monkeypatch.setattr(type(run), "load", lambda self, model: (self.config.runtime, model))
    model = ModelRef(Path("here"), "digest")
    for asked, runtime in ((run, "onnx"), (run.of_baseline(), "hf"), (run, "onnx")):
        with asked.lend(model) as lm:
            assert lm == (runtime, model)
    assert len(run.lent) == 2
