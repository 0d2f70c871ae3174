"""By-products of steps in the store: built once, recorded, listed, explained, verified and kept while they
are reachable.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ptx import hookimpl
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


def test_a_step_from_the_store_brings_what_it_was_made_with(sharing, desk):
    host, built = sharing
    run(host, "name=a")
    plan, _ = run(host, "name=b")
    assert used(plan) == [[{"name": "features", "key": products()[0].key, "shared": True}]]
    assert built == [1]


def test_a_product_that_cannot_be_built_fails_its_run_and_leaves_nothing(sharing, desk):
    host, _ = sharing
    _, outcome = run(host, "method.args.width=broken,2")
    assert [message for _, message in outcome.failed] == ["told to fail"]
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
        f"features  {first.key[:12]}  miss: was not in the store, this run built it" in capsys.readouterr().out
    )
    (first.payload / "features.txt").write_text("3")
    assert main(["store", "verify"]) == 1
    assert f"broken: products {first.key[:12]} (features)" in capsys.readouterr().out


def test_gc_keeps_what_the_steps_of_a_sweep_were_made_with(sharing, desk):
    host, _ = sharing
    run(host, "name=kept")
    run(host, "name=gone", "method.args.width=2")
    assert main(["store", "gc", "--unreachable-from", "kept", "--yes"]) == 0
    assert [entry.ingredients["width"] for entry in products()] == [1]
    old = time.time() - 86400 * 30
    os.utime(products()[0].folder / "entry.sha256", (old, old))
    main(["store", "gc", "--older-than", "7d", "--yes"])
    assert products() == []
