"""KTO: TRL's losses on shuffled thumbs, made of pairs where need be."""

import pytest

import ptx_kto
from ptx import Lora, RunConfig, StepError
from ptx_kto import KTO
from ptx_kto.train import shuffled

PAIRS = [
    {"prompt": f"what is {n} plus {n}? ", "chosen": f"it is {2 * n}", "rejected": "who knows?"}
    for n in range(16)
]
THUMBS = [
    {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
    for row in PAIRS
    for side in ("chosen", "rejected")
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 4, "warmup": 0.0}
SAME = {"learning_rate": 1e-3, "per_device_train_batch_size": 8, "max_steps": 4}


@pytest.fixture
def kto(make_run, train):
    def start(model, data, name="step", seed=0, **settings):
        run = make_run(RunConfig(method=KTO(**{**QUICK, **settings})), [ptx_kto], name, seed)
        return run, train(run, model, data)

    return start


def as_turns(rows):
    return [
        {
            **row,
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["completion"]}],
        }
        for row in rows
    ]


def test_losses_are_those_of_plain_trl_on_the_shuffled_rows(
    kto, make_data, chat_model, trl_losses, losses_of
):
    run, _ = kto(chat_model, make_data("thumbs", THUMBS), seed=3, beta=0.3, desirable_weight=1.5)
    expected = trl_losses(
        "KTO", chat_model, as_turns(shuffled(THUMBS, 3)), seed=3, beta=0.3, desirable_weight=1.5, **SAME
    )
    assert len(expected) == 4
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)


def test_without_a_template_losses_are_those_of_plain_trl_on_text(
    kto, make_data, plain_model, trl_losses, losses_of
):
    run, _ = kto(plain_model, make_data("thumbs", THUMBS), loss="apo_zero_unpaired")
    expected = trl_losses(
        "KTO", plain_model, shuffled(THUMBS, 0), seed=0, loss_type="apo_zero_unpaired", **SAME
    )
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)


def test_pairs_are_split_and_mixed(kto, make_data, chat_model, losses_of):
    run, _ = kto(chat_model, make_data("pairs", PAIRS), lora=Lora(r=4), max_steps=-1)
    assert len(losses_of(run)) == 4
    labels = [row["label"] for row in shuffled(THUMBS[0::2] + THUMBS[1::2], 0)]
    assert all(0 < sum(labels[start : start + 8]) < 8 for start in range(0, 32, 8))


def test_the_order_is_the_seed_s():
    assert shuffled(THUMBS, 1) == shuffled(THUMBS, 1) != shuffled(THUMBS, 2)
    assert sorted(map(str, shuffled(THUMBS, 1))) == sorted(map(str, THUMBS))


def test_training_moves_liked_answers_up_and_disliked_ones_down(kto, make_data, chat_model):
    run, _ = kto(chat_model, make_data("thumbs", THUMBS), max_steps=-1, epochs=6, learning_rate=2e-3)
    last = [
        shown for shown in run.console.progressed if "rewards/chosen" in shown and "rewards/rejected" in shown
    ][-1]
    assert last["rewards/chosen"] > last["rewards/rejected"] + 0.5


def test_a_single_label_is_refused():
    with pytest.raises(StepError, match=r"all 16 thumbs have the label \{True\}, and KTO needs both"):
        shuffled([row for row in THUMBS if row["label"]], 0)


def test_a_warning_of_trl_is_reported_by_the_run(kto, make_data, chat_model, capfd):
    run, _ = kto(chat_model, make_data("thumbs", THUMBS[1::2] + THUMBS[:2]), max_steps=1)
    (line,) = [line for line in run.console.lines if "TRL" in line]
    assert line.startswith(
        "step: TRL: You have different amounts of desirable/positive and undesirable/negative examples"
    )
    assert "desirable" not in capfd.readouterr().err
