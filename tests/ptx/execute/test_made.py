"""Steps that make data: keyed before they run, checked like a user's file, named in the record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import ptx
from ptx.cli.why import explain
from ptx.compose.jobs import compose_jobs
from ptx.data import open_data
from ptx.errors import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.files import read_rows
from ptx.plan.planner import make_plan
from ptx.report import load_records, make_frame
from ptx.testing import Silent
from tests.ptx.execute.conftest import result_of

WORDS = ["model=./model", "data=./text.jsonl", "eval=[]"]
RECIPE = """why: w
rounds: 2
each:
  mine: {make: shout}
  toy: {method: toy, data: mine}
"""


@dataclass
class Shout(ptx.Maker):
    """The texts in capitals, with the seed of the step."""

    needs = ("text",)
    rows: int = ptx.setting(1, "how many")
    shape: str = ptx.setting("text", "what it writes")
    fault: bool = ptx.setting(False, "write what no text is")

    def gives(self, reads):
        return (self.shape,)


@pytest.fixture
def maker(toy_host, toy):
    """The toy plugin with a maker beside it; ``seen`` are the rows that trainings got."""
    seen = []

    class Making:
        @ptx.hookimpl
        def ptx_make(self, run, maker, model, data):
            toy.calls.append(f"make {run.seed}")
            run.log({"loudness": 3.0}, 1, 1)
            texts = [row["text"].upper() for row in data.rows("text")]
            rows = [{"text": 5 if maker.fault else f"{run.seed} {text}"} for text in texts * maker.rows]
            return ptx.DataRef.write(run.folder / "data", {maker.shape: rows})

        @ptx.hookimpl(tryfirst=True)
        def ptx_train(self, run, method, model, data):
            seen.append([row["text"] for row in data.rows("text")])

    toy_host.manager.register(Making(), name="making")
    choice = ptx.Choice("make", "shout", Shout, "capitals")
    toy_host.choices["make", "shout"] = choice
    toy_host.owners["make", "shout"] = next(iter(toy_host.owners.values()))
    return seen


@pytest.fixture
def recipe(desk):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "own.yaml").write_text(RECIPE)


def plan_of(host, *words, verb="train"):
    return make_plan(host, verb, compose_jobs(host, verb, [*WORDS, *words]), "ptx")


def run_of(host, *words, verb="train"):
    plan = plan_of(host, *words, verb=verb)
    return plan, run_sweep(plan, host, Silent())


def test_rounds_make_data_of_their_own_and_learn_from_it(toy_host, toy, maker, recipe, desk):
    plan, outcome = run_of(toy_host, "recipe=own")
    assert outcome.failed == ()
    first, toy_1, second, toy_2 = plan.runs[-1].steps
    assert toy_1.identity.ingredients["data"] == {"shape": "text", "step": first.key}
    assert second.identity.ingredients["input"] == {"step": toy_1.key}
    assert toy_2.identity.ingredients["input"] == {"step": toy_1.key}  # the maker left the model as it came
    seeds = [call.split()[1] for call in toy.calls if call.startswith("make")]
    assert len(set(seeds)) == 2
    assert [rows[0].split()[0] for rows in maker] == seeds


def test_why_of_a_round_names_the_round_before_it_and_what_differs(toy_host, maker, recipe, desk):
    plan, _ = run_of(toy_host, "recipe=own")
    first, toy_1, second, toy_2 = (step.key[:12] for step in plan.runs[-1].steps)
    lines = "\n".join(explain(Path("ptx-out"), [plan.runs[-1].id]))
    _, of_second, of_toy_2 = re.split(r"mine_2 |toy_2 ", lines)
    assert f"nearest before it: {first} (mine_1); what differs:" in of_second
    assert f"input.step  (absent) -> {toy_1} (toy_1)" in of_second
    assert f"nearest before it: {toy_1} (toy_1); what differs:" in of_toy_2
    assert f"data.step  {first} (mine_1) -> {second} (mine_2)" in of_toy_2
    both = [*explain(Path("ptx-out"), [toy_1, toy_2])]
    assert both[0] == f"steps {toy_1} (toy_1) -> steps {toy_2} (toy_2)"
    assert f"    input.step  (absent) -> {toy_1} (toy_1)" in both
    alone = [line.split() for line in explain(Path("ptx-out"), [toy_2])]
    assert ["data.step", second, "(mine_2)"] in alone


def test_the_record_names_what_was_made_and_its_numbers(toy_host, toy, maker, recipe, desk):
    plan, _ = run_of(toy_host, "recipe=own")
    made = result_of(plan)["steps"][0]
    assert (made["kind"], made["metrics"]["loudness"], made["metrics"]["acceptance"]) == ("make", 3.0, 1.0)
    folder = plan.folder / plan.runs[-1].id / "mine_1"
    assert open_data("made", folder).rows("text") == [*read_rows(folder / "text.jsonl")]
    assert plan_of(toy_host, "method=toy", f"data={folder}").runs[-1].steps[0].key


def test_seeds_that_make_data_of_their_own_are_one_row_of_a_report(toy_host, toy, maker, recipe, desk):
    jobs = compose_jobs(toy_host, "train", [*WORDS, "recipe=own", "seed=0,1"], multirun=True)
    plan = make_plan(toy_host, "train", jobs, "ptx")
    assert run_sweep(plan, toy_host, Silent()).failed == ()
    made = [run.steps[0].key for run in plan.runs if run.steps]
    assert len(set(made)) == 2
    (row,) = [row for row in make_frame(load_records([plan.folder])).rows if not row.baseline]
    assert len(row.done) == 2


def test_what_was_made_is_not_made_again(toy_host, toy, maker, recipe, desk):
    run_of(toy_host, "recipe=own")
    toy.calls.clear()
    run_of(toy_host, "recipe=own", "recipe.steps.toy_2.rate=0.3")
    assert [call.split()[0] for call in toy.calls] == ["train"]


def test_a_method_learns_from_the_maker_beside_it(toy_host, toy, maker, desk):
    plan, outcome = run_of(toy_host, "make=shout", "method=toy")
    assert outcome.failed == ()
    assert [step.name for step in plan.runs[-1].steps] == ["shout", "toy"]
    assert maker[0][0].isupper() or maker[0][0].split()[1].isupper()


def test_a_dataset_is_made_without_any_training(toy_host, toy, maker, desk):
    plan, outcome = run_of(toy_host, "make=shout", verb="make")
    assert outcome.failed == ()
    assert len(plan.runs) == 1
    assert (plan.folder / plan.runs[0].id / "shout" / "text.jsonl").is_file()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("make.rows=0", r"shout made no rows of text \(rows_in 5, rows_out 0, loudness 3, acceptance 0\)"),
        ("make.fault=true", "shout made rows that cannot be used: .*text must be text, got 5"),
    ],
)
def test_rows_that_nobody_could_learn_from_end_the_step(toy_host, toy, maker, desk, word, message):
    _, outcome = run_of(toy_host, "make=shout", word, verb="make")
    ((_, said),) = outcome.failed
    assert re.search(message, said)


@pytest.mark.parametrize(
    ("recipe_", "message"),
    [
        ("steps: {a: {make: shout, shape: prompts}, b: {method: toy, data: a}}", "the step a makes prompts"),
        ("steps: {b: {method: toy, data: a}, a: {make: shout}}", "the step a, which stands behind it"),
        ("steps: {a: {method: toy}, b: {method: toy, data: a}}", "makes a model, not data"),
        ("steps: {a: {make: shout, shape: texts}}", "make=shout gives texts"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_before_anything_runs(
    toy_host, maker, recipe, desk, recipe_, message
):
    (desk / "conf" / "recipe" / "own.yaml").write_text(f"why: w\n{recipe_}\n")
    with pytest.raises(ConfigError, match=message):
        plan_of(toy_host, "recipe=own")


def test_changed_rows_change_the_keys_of_all_that_follows(toy_host, maker, recipe, desk):
    before = [step.key for step in plan_of(toy_host, "recipe=own").runs[-1].steps]
    (desk / "text.jsonl").write_text(json.dumps({"text": "other"}) + "\n")
    after = [step.key for step in plan_of(toy_host, "recipe=own").runs[-1].steps]
    assert not set(before) & set(after)
