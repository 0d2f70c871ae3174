"""The regular expressions of a task: a wrong one is named by the plan, one without an end by the run."""

import pytest

from ptx.guard import patterns
from ptx.guard.patterns import SlowPatternError
from ptx_bench import Bench
from ptx_bench.evaluate import evaluate

REPLY = "a" * 40 + "b"


def pipeline(**filter_):
    return [{"name": "own", "filter": [filter_, {"function": "take_first"}]}]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"filter_list": pipeline(function="regex", regex_pattern="(")}, "filter regex: regex_pattern: '('"),
        ({"filter_list": pipeline(function="regex", regex_pattern=3)}, "filter regex: regex_pattern: 3"),
        (
            {"filter_list": pipeline(function="regex_pos", regex_pattern="[")},
            "filter regex_pos: regex_pattern: '['",
        ),
        (
            {
                "filter_list": pipeline(
                    function="multi_choice_regex", regex_pattern="a", regexes_to_ignore=["*"]
                )
            },
            "multi_choice_regex: regexes_to_ignore: '*'",
        ),
        (
            {"metric_list": [{"metric": "exact_match", "regexes_to_ignore": [",", "("]}]},
            "exact_match: regexes_to_ignore: '('",
        ),
    ],
)
def test_a_pattern_that_is_none_is_a_problem_of_the_plan(said, write_tasks, kinds, settings, named):
    folder = write_tasks(generated={**kinds["generated"], **settings})
    (problem,) = said(str(folder))
    assert problem.startswith(f"{folder / 'generated.yaml'}: {named} is no regular expression")


@pytest.fixture
def replying(lm, bare):
    """The model behind ptx's interface, with one hostile reply to every prompt."""
    served = bare(lm)
    served.generate = lambda prompts, *_, **__: [REPLY] * len(prompts)
    return served


@pytest.mark.parametrize(
    "settings",
    [
        {"filter_list": pipeline(function="regex", regex_pattern="(a+)+$")},
        {
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "regexes_to_ignore": ["(a+)+$"],
                }
            ]
        },
    ],
)
def test_a_pattern_without_an_end_ends_the_run_with_its_file(
    make_run, write_tasks, kinds, replying, settings, monkeypatch
):
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    folder = write_tasks(generated={**kinds["generated"], **settings})
    with pytest.raises(SlowPatternError) as raised:
        evaluate(make_run(), Bench(tasks=[str(folder)]), replying)
    assert str(raised.value).startswith(f"{folder / 'generated.yaml'}, the reply to item 0 of generated: the")
    assert "'(a+)+$' does not end" in str(raised.value)


def test_a_template_with_such_a_pattern_is_a_problem_of_the_plan(said, write_tasks, kinds, monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.1)
    text = f"{{{{ '{REPLY}' | regex_replace('(a+)+$', '') }}}}"
    folder = write_tasks(generated={**kinds["generated"], "doc_to_text": text})
    assert "'(a+)+$' does not end" in said(str(folder))[0]
