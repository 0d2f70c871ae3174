"""Scorers as reward functions: weights, names, answers without a score, and rewards that teach nothing."""

import pytest

from ptx import Lora, StepError
from ptx_scorers import Numeric

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n, "skill": "sum"} for n in range(16)]
GIVING = {"numeric": Numeric(tolerance=1e9)}  # any number will do


def test_several_scorers_are_weighted_and_logged_by_name(grpo, make_data, chat_model):
    run, _ = grpo(
        chat_model,
        make_data("prompts", PROMPTS),
        rewards=["vowel", "length"],
        reward_weights=[1.0, 0.5],
        lora=Lora(r=4),
        max_steps=1,
    )
    shown = run.console.progressed[0]
    assert shown["reward"] == pytest.approx(shown["rewards/vowel/mean"] + 0.5 * shown["rewards/length/mean"])


def test_rewards_that_never_differ_stop_the_run_with_an_example(grpo, make_data, chat_model):
    with pytest.raises(StepError) as caught:
        grpo(chat_model, make_data("prompts", PROMPTS), rewards=["exact"], max_steps=20)
    message = str(caught.value)
    assert "all rewards were equal (0) within every group of completions for 10 steps" in message
    assert "The scorer 'exact' never gave more than 0; an answer was" in message
    assert "its reference '" in message


def test_prompts_without_answers_say_so_when_a_scorer_needs_them(grpo, make_data, chat_model):
    rows = [{"prompt": row["prompt"]} for row in PROMPTS]
    with pytest.raises(
        StepError,
        match=(
            r"the scorer 'numeric' could score none of the first 8 answers.*Give the prompts a column answer"
        ),
    ):
        grpo(chat_model, make_data("prompts", rows), rewards=["numeric"])


def test_answers_that_a_scorer_cannot_score_are_counted_and_left_out(grpo, make_data, chat_model, caplog):
    rows = [{**row, "answer": "seven" if n % 2 else "7"} for n, row in enumerate(PROMPTS)]
    run, _ = grpo(
        chat_model, make_data("prompts", rows), rewards=["numeric", "vowel"], max_steps=1, batch_size=64
    )
    assert (
        "step: the scorer 'numeric' could not score 32 of 64 answers; they get no reward from it"
        in run.console.lines
    )
    run, _ = grpo(
        chat_model,
        make_data("prompts", rows),
        "alone",
        rewards=["numeric"],
        max_steps=1,
        batch_size=64,
        scorers=GIVING,
    )
    assert "All reward functions returned None" not in caplog.text
