"""GRPO: TRL's losses with rewards from scorers, resuming, and prompts that are too long."""

import pytest

import ptx_grpo
import ptx_scorers
from ptx import Lora, StepError

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n, "skill": "sum"} for n in range(16)]


def vowel(completions, **_):
    return [
        float(any(letter in "aeiou" for letter in completion[-1]["content"])) for completion in completions
    ]


def test_losses_are_those_of_plain_trl(grpo, make_data, chat_model, trl_losses, losses_of):
    run, _ = grpo(chat_model, make_data("prompts", PROMPTS), seed=3, beta=0.1, micro_batch=4, rollout="trl")
    expected = trl_losses(
        "GRPO",
        chat_model,
        [
            {"prompt": [{"role": "user", "content": row["prompt"]}], "answer": str(row["answer"])}
            for row in PROMPTS
        ],
        reward_funcs=[vowel],
        seed=3,
        beta=0.1,
        learning_rate=1e-3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        num_generations=4,
        max_completion_length=8,
        max_steps=3,
    )
    assert len(expected) == 3
    assert any(abs(loss) > 1e-4 for loss in expected)
    assert losses_of(run) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_training_raises_the_reward(grpo, make_data, chat_model):
    run, result = grpo(
        chat_model,
        make_data("prompts", PROMPTS),
        max_steps=15,
        batch_size=32,
        num_generations=8,
        learning_rate=5e-3,
    )
    rewards = [shown["reward"] for shown in run.console.progressed if "reward" in shown]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.2
    assert result.kind == "full"


def test_without_a_template_prompts_are_continued_as_text(grpo, make_data, plain_model, losses_of):
    run, _ = grpo(plain_model, make_data("prompts", PROMPTS))
    assert len(losses_of(run)) == 3


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(
    grpo, make_run, train, make_data, chat_model, losses_of
):
    data = make_data("prompts", PROMPTS)
    whole, result = grpo(chat_model, data, "whole", max_steps=4, checkpoint_every=2)
    broken = make_run(whole.config, [ptx_grpo, ptx_scorers], "broken")

    def stop_at_three(metrics, step, total=None):
        if step == 3:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_three)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, data)
    resumed = make_run(whole.config, [ptx_grpo, ptx_scorers], "broken")
    again = train(resumed, chat_model, data)
    assert losses_of(resumed) == losses_of(whole)[2:]
    assert again.digest == result.digest


def test_prompts_that_leave_no_room_for_an_answer_are_counted(grpo, make_data, chat_model):
    def rows(long: int):
        return [{**row, "prompt": row["prompt"] * (14 if n < long else 1)} for n, row in enumerate(PROMPTS)]

    run, _ = grpo(chat_model, make_data("few", rows(3)), max_steps=1)
    assert (
        "step: 3 of 16 prompts are left out: with an answer they are longer than the model's context of 256"
        " tokens" in run.console.lines
    )
    with pytest.raises(StepError, match="12 of 16 prompts leave no room for an answer of 8 tokens"):
        grpo(chat_model, make_data("most", rows(12)))


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


def test_answers_that_a_scorer_cannot_score_are_counted(grpo, make_data, chat_model, caplog):
    rows = [{**row, "answer": "seven" if n % 2 else "7"} for n, row in enumerate(PROMPTS)]
    data = make_data("prompts", rows)
    run, _ = grpo(chat_model, data, rewards=["numeric", "vowel"], max_steps=1, batch_size=64)
    told = "the scorer 'numeric' could not score 32 of 64 answers: they get its worst score"
    assert any(told in line for line in run.console.lines)
    assert run.console.progressed[0]["unscored/numeric"] == 0.5
    assert run.console.progressed[0]["unscored/vowel"] == 0
    run, _ = grpo(chat_model, data, "alone", rewards=["any"], max_steps=1, batch_size=64, unscored="skip")
    assert "All reward functions returned None" not in caplog.text


def test_a_watched_scorer_is_logged_and_changes_nothing(grpo, make_data, chat_model, losses_of):
    data = make_data("prompts", PROMPTS)
    plain, made = grpo(chat_model, data, max_steps=2)
    watched, same = grpo(chat_model, data, "watched", watch=["length"], max_steps=2)
    assert [shown["watch/length"] <= 0 for shown in watched.console.progressed if "reward" in shown] == [
        True
    ] * 2
    assert losses_of(watched) == losses_of(plain)
    assert same.digest == made.digest


def test_a_reward_that_likes_other_answers_as_much_is_refused_before_training(grpo, make_data, chat_model):
    rows = [{**row, "answer": str(row["answer"])} for row in PROMPTS]
    told = "the scorer 'contrary' gives 0 for references, 1 for those of other prompts"
    with pytest.raises(StepError, match=told):
        grpo(chat_model, make_data("prompts", rows), rewards=["contrary"])
