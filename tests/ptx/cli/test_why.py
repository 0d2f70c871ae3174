"""``ptx store why``: hits and misses explained field by field."""

from __future__ import annotations

import re
import shutil

from tests.ptx.cli.conftest import entry_of


def test_why_of_a_run_names_the_field_that_made_it_miss_and_the_steps_that_hit(sweep, ptx):
    sweep("method.rate=0.1", "name=a")
    plan, *_ = sweep("method.rate=0.1,0.2", "compress=[halve]", "name=b")
    _, out, _ = ptx("store", "why", plan.runs[1].id)
    lines = [line.strip() for line in out.splitlines()]
    assert any(line.startswith("toy") and "hit: was in the store" in line for line in lines)
    assert any(
        line.startswith("halve") and "miss: was not in the store, this run built it" in line for line in lines
    )
    _, out, _ = ptx("store", "why", plan.runs[2].id)
    lines = [line.strip() for line in out.splitlines()]
    assert "config.rate  0.1 -> 0.2" in lines
    assert any(line.startswith("input.step") and "another input: ptx store why" in line for line in lines)


def test_why_of_a_run_whose_step_has_left_the_store_says_so(sweep, ptx):
    plan, *_ = sweep()
    shutil.rmtree(entry_of(plan.runs[1].steps[0]))
    assert "it is no longer in the store" in ptx("store", "why", plan.runs[1].id)[1]


def test_why_of_a_failed_run_says_what_is_missing(sweep, ptx):
    sweep("method.fail=false")
    plan, *_ = sweep("method.fail=true")
    out = ptx("store", "why", plan.runs[1].id)[1]
    assert "miss: is not in the store and will be built" in out
    assert "config.fail  false -> true" in out


def test_why_of_a_key_prints_its_ingredients(sweep, ptx):
    plan, *_ = sweep("name=mine")
    key = plan.runs[1].steps[0].key
    code, out, _ = ptx("store", "why", key[:8])
    assert code == 0
    assert f"steps {key}" in out
    assert re.search(r"^  config\.rate +0\.1$", out, re.MULTILINE)
    assert f"asked for by mine/{plan.runs[1].id}" in out


def test_why_of_two_keys_compares_them_field_by_field(sweep, ptx):
    plan, *_ = sweep("seed=0,1")
    keys = [run.steps[0].key[:10] for run in plan.runs[1:]]
    lines = ptx("store", "why", *keys)[1].splitlines()
    assert [line.strip() for line in lines[1:]] == ["seed  0 -> 1"]


def test_why_of_two_runs_compares_their_steps_in_order(sweep, ptx):
    plan, *_ = sweep("compress=[],[halve]", "seed=0,1")
    by_label = {run.label: run.id for run in plan.runs}
    out = ptx("store", "why", by_label["compress=[] seed=0"], by_label["compress=[halve] seed=1"])[1]
    assert "seed  0 -> 1" in out
    assert f"only in {by_label['compress=[halve] seed=1']}" in out
