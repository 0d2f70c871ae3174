"""The plugin itself: the data that it needs, its key, its recipe, its settings."""

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx.testing import check_plugin
from ptx_mix import Mix
from tests.plugins.ptx_mix.conftest import MESSAGES, PAIRS, SAFETY, write_family


def planned(folder, model, *words):
    given = [f"model={model}", f"data={folder}", "method=mix", "eval=[]", "device=cpu", *words]
    return (
        make_plan(get_host(), "train", compose_jobs(get_host(), "train", given, multirun=False), "test")
        .runs[-1]
        .steps[0]
    )


@pytest.mark.parametrize("shape", ["pairs", "safety", "messages"])
def test_data_without_one_of_the_three_is_refused_and_the_shape_named(
    shape, tmp_path, chat_model, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        planned(write_family(tmp_path / "family", **{shape: []}), chat_model)
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"method=mix needs {shape}")


def test_safety_rows_that_do_not_say_what_to_answer_are_refused(tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{name: row[name] for name in ("prompt", "harmful")} for row in SAFETY]
    with pytest.raises(
        ConfigError, match=r"no safety row of .* has a reference answer; add a column reference"
    ):
        planned(write_family(tmp_path / "family", safety=rows), chat_model)


@pytest.mark.parametrize("shape", ["pairs", "safety", "messages"])
def test_the_rows_of_all_three_are_in_the_key(shape, tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = planned(write_family(tmp_path / "before"), chat_model)
    same = planned(write_family(tmp_path / "same", prompts=[{"prompt": "why?"}]), chat_model)
    fewer = {"messages": MESSAGES, "pairs": PAIRS, "safety": SAFETY}[shape][1:]
    after = planned(write_family(tmp_path / "after", **{shape: fewer}), chat_model)
    assert same.key == before.key != after.key


def test_the_recipe_combined_is_this_method(tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        "recipe=combined",
        "recipe.steps.mix.lambda_pref=0.1,0.5,1",
        f"model={chat_model}",
        f"data={write_family(tmp_path / 'family')}",
    ]
    jobs = compose_jobs(get_host(), "train", [*words, "eval=[]", "device=cpu"], multirun=True)
    assert [job.config.chain()["mix"].lambda_pref for job in jobs] == [0.1, 0.5, 1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"lambda_pref": -1.0},
            "method.lambda_pref must be at least 0, got -1.0; try method.lambda_pref=0.5",
        ),
        ({"lambda_safe": float("nan")}, "method.lambda_safe must be at least 0, got nan"),
        ({"beta": 0.0}, "method.beta must be positive, got 0.0"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        Mix(**settings)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_mix")


def test_the_reference_may_be_another_model():
    assert Mix().models({}) == {}
    assert Mix(reference="start").models({}) == {"reference": "start"}
    assert Mix(reference="start", lambda_pref=0).models({}) == {}
