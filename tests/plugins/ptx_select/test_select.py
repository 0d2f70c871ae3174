"""``make=select``: bands, ranks, chance, duplicates and test items, and the settings that make no sense."""

from __future__ import annotations

import json
import math
from itertools import count, pairwise
from types import SimpleNamespace

import pytest

import ptx_hf
from ptx import ConfigError, ModelRef, RunConfig, SettingError
from ptx.compose.jobs import compose_jobs
from ptx.data import open_data
from ptx.files import read_rows, write_rows
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx.testing import check_plugin
from ptx_select import Select
from ptx_select.select import ranked, select

ITEM = "Janet has sixteen eggs and sells nine of them for two dollars each at the market."


@pytest.fixture
def chosen(tmp_path, make_run):
    """``chosen(maker, rows, seed)``: the rows that are kept, in their order."""

    names = (f"step-{number}" for number in count())

    def make(maker, rows, shape="completions", seed=0):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        write_rows(folder / f"{shape}.jsonl", rows)
        run = make_run(RunConfig(runtime=ptx_hf.HF()), [ptx_hf], next(names), seed)
        made = select(run, maker, ModelRef(tmp_path), open_data("mine", folder))
        return [*read_rows(made.path / f"{shape}.jsonl")]

    return make


def rows_of(*completions):
    return [{"prompt": f"ask {place}", "completion": text} for place, text in enumerate(completions)]


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_select")


def test_chance_follows_from_the_seed_and_a_smaller_count_is_a_part_of_a_larger(chosen):
    rows = rows_of(*map(str, range(30)))
    ten, again, four = (chosen(Select(count=most), rows, seed=3) for most in (10, 10, 4))
    assert ten == again
    assert len(ten) == 10
    assert all(row in ten for row in four)
    assert chosen(Select(count=10), rows, seed=4) != ten


def test_replies_within_a_band_of_lengths_are_kept_in_their_order(chosen):
    rows = rows_of("a" * 9, "a", "a" * 5, "a" * 3)
    assert chosen(Select(by="length", low=2, high=6), rows) == rows[2:]
    assert chosen(Select(by="length", count=2), rows) == [rows[0], rows[2]]


def test_copies_and_near_copies_are_dropped(chosen):
    rows = [{"text": text} for text in ("One text, here.", "one text here", "another text")]
    assert chosen(Select(by="exact"), rows, "text") == [rows[0], rows[2]]
    assert chosen(Select(by="minhash"), rows, "text") == [rows[0], rows[2]]


def test_rows_that_hold_a_test_item_are_dropped(chosen, tmp_path):
    tests = tmp_path / "test.jsonl"
    tests.write_text(json.dumps({"question": ITEM, "answer": "18"}) + "\n")
    rows = rows_of("eighteen", f"They ask: {ITEM}", "other")
    assert chosen(Select(by="overlap", against=[str(tests)]), rows) == [rows[0], rows[2]]


def test_ranks_leave_out_what_misleads_and_what_has_no_number():
    values = [0.5, 1.2, 0.9, math.nan, 0.9]
    assert ranked(Select(by="ifd", count=2), values) == [2, 4]
    assert ranked(Select(by="ifd", share=0.2), values) == [2]
    assert ranked(Select(by="ifd", high=2), values) == [0, 1, 2, 4]


def test_the_files_of_the_evaluators_are_what_is_compared_with(tmp_path):
    tests = tmp_path / "test.jsonl"
    tests.write_text('{"q": "x"}\n')
    evaluator = SimpleNamespace(inputs=lambda: [tests])
    config = SimpleNamespace(eval={"bench": evaluator})
    found = Select(by="overlap").resolved(config)
    assert (found.against, found.inputs()) == ([str(tests)], [tests])
    with pytest.raises(ConfigError, match="nothing to compare with"):
        Select(by="overlap").resolved(SimpleNamespace(eval={}))
    with pytest.raises(ConfigError, match=r"there is no .*gone"):
        Select(by="overlap", against=["./gone.jsonl"]).resolved(config)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "keeps every row without a number"),
        ({"by": "lenght"}, "make.by must be one of random, length"),
        ({"by": "length"}, "keeps every row without a bound"),
        ({"by": "length", "low": 5, "high": 2}, "exchange them"),
        ({"share": 0.0}, "make.share must be above 0"),
        ({"by": "minhash", "threshold": 2.0}, "make.threshold must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Select(**given)


def test_difficulty_needs_replies_and_reads_the_model():
    assert Select(by="ifd").opens_model()
    assert not Select(by="exact").opens_model()
    assert Select(by="ifd").gives("messages") == ("messages",)
    with pytest.raises(ConfigError, match="text has none"):
        Select(by="ifd").gives("text")


def test_what_draws_nothing_is_selected_once_for_all_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "text.jsonl", [{"text": f"line {place}"} for place in range(4)])
    words = ["model=tiny", "data=./text.jsonl", "make=select", "make.count=2", "seed=0,1", "eval=[]"]
    for rule, steps in (("random", 2), ("length", 1), ("exact", 1)):
        jobs = compose_jobs(get_host(), "make", [*words, f"make.by={rule}"], multirun=True)
        plan = make_plan(get_host(), "make", jobs, "ptx test")
        assert len({run.steps[0].key for run in plan.runs}) == steps, rule


def test_a_smaller_selection_is_a_part_of_a_larger_and_selecting_again_changes_nothing(chosen):
    values = [0.3, math.nan, 0.9, 0.1, 0.5, 0.9]
    kept = [ranked(Select(by="perplexity", count=count_), values) for count_ in (1, 2, 3, 4, 5)]
    assert all(set(small) < set(large) for small, large in pairwise(kept))
    rows = rows_of(*["one two three four five six seven"] * 2, "other words", "Other words!")
    for by in ("exact", "minhash"):
        once = chosen(Select(by=by), rows)
        assert chosen(Select(by=by), once) == once
