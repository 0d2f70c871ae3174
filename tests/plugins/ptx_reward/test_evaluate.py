"""A scorer on held-out pairs."""

import json
import math

import pytest

import ptx_reward
import ptx_scorers
from ptx import RunConfig
from ptx.testing import undeclared_metrics
from ptx_reward import RewardEvaluation
from ptx_scorers import Length, Regex


@pytest.fixture
def measured(make_run, tmp_path):
    def measure(rows, scorer):
        file = tmp_path / "pairs.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = RunConfig(scorer={"it": scorer})
        run = make_run(config, [ptx_reward, ptx_scorers])
        evaluator = RewardEvaluation(pairs=[str(file)], scorer="it")
        return run.host.first(
            "ptx_evaluate", run=run, evaluator=evaluator, model=None, lm=None, baseline=None
        )

    return measure


PAIRS = [
    {"prompt": f"q{n // 2}?", "chosen": "a" * (n % 5 + 1), "rejected": "no " * (n % 3 + 1)} for n in range(20)
]


def test_accuracy_counts_ties_half_and_pairs_of_one_prompt_are_one_cluster(measured):
    found = measured(PAIRS, Regex(pattern="a+"))
    by_name = {one.name: one for one in found.metrics if not one.segment}
    assert by_name["reward/accuracy"].value == 1.0
    assert by_name["reward/unscored"].value == 0
    assert len({row["cluster"] for row in found.rows}) == 10
    assert undeclared_metrics(RewardEvaluation, found.metrics) == []
    assert measured(PAIRS, Regex(pattern=".*")).metrics[0].value == 0.5


def test_a_scorer_that_likes_length_is_found_out(measured):
    long = [{"prompt": f"q{n}?", "chosen": "a " * (n + 2), "rejected": "b " * (n + 1)} for n in range(12)]
    short = [{"prompt": f"r{n}?", "chosen": "a " * (n + 1), "rejected": "b " * (n + 2)} for n in range(12)]
    found = measured([*long, *short], Length(words=8))  # it likes few words
    by_name = {one.name: one for one in found.metrics if not one.segment}
    assert by_name["reward/accuracy_chosen_shorter"].n == 12
    assert by_name["reward/length_correlation"].value < -0.5
    assert by_name["reward/length_correlation"].low <= by_name["reward/length_correlation"].value
    assert not math.isnan(by_name["reward/calibration_error"].value)
