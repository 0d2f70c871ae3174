"""Reward models: the loss in closed form, the head, adapters, seeds, and the scorer that reads them."""

import math
import random

import pytest
import torch

import ptx.lm.training.classifier
import ptx_judge
from ptx import Lora, RunConfig, StepError
from ptx.lm.load import load_model
from ptx_judge import Reward
from ptx_reward.train import with_margins
from tests.plugins.ptx_reward.conftest import PAIRS


def classifier(folder):
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder, dtype="float32").eval()


def rewards_of(folder, pairs):
    """r(chosen) and r(rejected), each sequence alone, (B,)."""
    from transformers import AutoTokenizer

    from ptx.lm.training.rows import trl_rows

    tokenizer, model = AutoTokenizer.from_pretrained(folder), classifier(folder)
    rows = trl_rows("pairs", pairs, tokenizer)

    def one(row, side):
        ids = tokenizer.apply_chat_template([*row["prompt"], *row[side]], return_dict=True)["input_ids"]
        return model(input_ids=torch.tensor([ids])).logits[0, 0]

    with torch.no_grad():
        return [torch.stack([one(row, side) for row in rows]) for side in ("chosen", "rejected")]


@pytest.mark.parametrize("center", [0.0, 0.01])
def test_the_loss_is_that_of_bradley_and_terry_whatever_the_padding(
    reward, make_data, chat_model, losses_of, center
):
    data = make_data("pairs", PAIRS[:8])
    run, made = reward(chat_model, data, max_steps=2, learning_rate=1e-12, center=center)
    chosen, rejected = rewards_of(made.path, PAIRS[:8])
    expected = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    expected += center * ((chosen + rejected) ** 2).mean()
    assert losses_of(run)[-1] == pytest.approx(expected.item(), abs=1e-5)


def test_exchanged_sides_have_the_opposite_margin(reward, make_data, chat_model):
    turned = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in PAIRS[:8]]
    margins = []
    for name, rows in (("as-they-are", PAIRS[:8]), ("turned", turned)):
        run, _ = reward(chat_model, make_data(name, rows), name, max_steps=1, learning_rate=1e-12)
        margins += [one["margin"] for one in run.console.progressed if "margin" in one][:1]
    assert margins[0] != 0
    assert margins[1] == pytest.approx(-margins[0], abs=1e-6)


def test_it_learns_and_the_scorer_gives_the_trainers_numbers(reward, make_data, chat_model, make_run):
    run, made = reward(chat_model, make_data("pairs", PAIRS), max_steps=25, learning_rate=5e-3)
    shown = [one for one in run.console.progressed if "accuracy" in one]
    assert shown[-1]["accuracy"] == 1.0
    assert shown[-1]["margin"] > shown[0]["margin"] + 0.5
    chosen, rejected = rewards_of(made.path, PAIRS)
    assert (chosen > rejected).float().mean() > 0.9
    asking = make_run(RunConfig(), [ptx_judge], "asking")
    turns = next(row for row in PAIRS if not isinstance(row["prompt"], str))
    found = asking.score(
        Reward(model=str(made.path)), [turns["prompt"]], [turns["chosen"][0]["content"]], [None]
    )
    assert found[0] == pytest.approx(chosen[PAIRS.index(turns)].item(), abs=1e-5)


def test_the_order_of_known_strengths_is_recovered_from_noisy_pairs(reward, make_data, chat_model):
    from scipy.stats import spearmanr

    words, chance = ["one", "two", "four", "eight", "ten", "zero"], random.Random(0)
    rows = []
    for _ in range(240):
        low, high = sorted(chance.sample(range(len(words)), 2))
        if chance.random() > 1 / (1 + math.exp(low - high)):  # the weaker one is preferred now and then
            low, high = high, low
        rows.append({"prompt": "say a number: ", "chosen": words[high], "rejected": words[low]})
    _, made = reward(chat_model, make_data("pairs", rows), max_steps=60, learning_rate=5e-3)
    singles = [{"prompt": "say a number: ", "chosen": word, "rejected": "zero"} for word in words]
    assert spearmanr(rewards_of(made.path, singles)[0], range(len(words))).statistic > 0.9


def test_the_result_is_a_classifier_with_its_padding_and_no_language_model(reward, make_data, chat_model):
    _, made = reward(chat_model, make_data("pairs", PAIRS))
    config = classifier(made.path).config
    assert (config.num_labels, config.pad_token_id) == (1, 0)
    with pytest.raises(StepError, match="holds a reward model"):
        load_model(made)


def test_the_seed_decides_the_head_before_it_is_drawn(reward, make_data, chat_model):
    data = make_data("pairs", PAIRS)
    first, again, other = (
        reward(chat_model, data, f"run-{n}", seed)[1].digest for n, seed in enumerate((1, 1, 2))
    )
    assert first == again != other


def test_an_adapter_trains_the_head_and_is_merged_with_it(reward, make_data, chat_model, monkeypatch):
    trained, fit = [], ptx.lm.training.classifier.fit_trainer

    def keep(run, trainer, *rest):
        found = fit(run, trainer, *rest)
        with torch.no_grad():
            trained.append(trainer.model.eval()(input_ids=torch.tensor([[1, 40, 41, 42]])).logits.item())
        return found

    monkeypatch.setattr("ptx.lm.training.classifier.fit_trainer", keep)
    run, made = reward(
        chat_model, make_data("pairs", PAIRS), lora=Lora(r=4), max_steps=20, learning_rate=1e-2
    )
    shown = [one["margin"] for one in run.console.progressed if "margin" in one]
    chosen, rejected = rewards_of(made.path, PAIRS)
    assert (chosen - rejected).mean().item() > shown[0] + 0.3  # the head that was trained is the one on disk
    saved = classifier(made.path)(input_ids=torch.tensor([[1, 40, 41, 42]])).logits.item()
    assert saved == pytest.approx(trained[0], abs=1e-5)


def test_margins_of_the_data_are_used():
    rows = [{"prompt": "a"}, {"prompt": "b"}]
    assert with_margins(rows, [{"margin": 2}, {}]) == [
        {"prompt": "a", "margin": 2.0},
        {"prompt": "b", "margin": 0.0},
    ]
    assert with_margins(rows, [{}, {}]) == rows


def test_pairs_that_are_too_long_are_counted(reward, make_data, chat_model):
    long = [{"prompt": "q", "chosen": "x" * 300, "rejected": "y"}] * 3
    run, _ = reward(chat_model, make_data("some", [*PAIRS, *long]), max_steps=1)
    assert (
        "step: 3 of 19 pairs are left out: they have more than 256 tokens (method.max_length)"
        in run.console.lines
    )
    with pytest.raises(StepError, match="3 of 3 pairs have more than 256 tokens"):
        reward(chat_model, make_data("all", long), "all", max_steps=1)
