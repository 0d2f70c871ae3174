"""KTO's reference: answers are shared between seeds; the pairs of its KL term follow the seed's order and are
kept apart.
"""

import pytest

import ptx_kto
import ptx_kto.train
from ptx import Lora, RunConfig
from ptx.lm.training import reference
from ptx.store.store import Store
from ptx_kto import KTO

PAIRS = [
    {"prompt": f"what is {n} plus {n}? ", "chosen": f"it is {2 * n}", "rejected": "who knows?"}
    for n in range(8)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture
def shelf(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def kto(make_run, train, make_data, shelf, chat_model):
    def start(name, seed=0, rows=PAIRS, **settings):
        run = make_run(RunConfig(method=KTO(**{**QUICK, **settings})), [ptx_kto], name, seed).at(store=shelf)
        train(run, chat_model, make_data(f"pairs-{name}", rows))
        return run

    return start


def passes(shelf):
    return sorted(entry.ingredients["choice"] for entry in shelf.entries() if entry.kind == "products")


@pytest.mark.parametrize(
    "settings",
    [{}, {"lora": Lora(r=4)}, {"loss": "apo_zero_unpaired"}, {"micro_batch": 4, "seed": 2, "max_length": 30}],
    ids=str,
)
def test_losses_with_the_store_are_those_without_it_to_the_last_digit(kto, shelf, losses_of, settings):
    with_store, without = kto("with", **settings), kto("without", cache_reference=False, **settings)
    assert passes(shelf) == ["reference", "reference_kl"][: 1 + (settings.get("loss") is None)]
    assert len(losses_of(with_store)) == 3
    assert losses_of(with_store) == losses_of(without)


def test_beta_rate_weights_loss_and_adapter_share_both_passes_and_another_seed_the_answers(kto, shelf):
    kto("first", max_steps=1)
    same = [
        {"beta": 0.5},
        {"learning_rate": 1e-2},
        {"desirable_weight": 2.0},
        {"lora": Lora(r=4)},
        {"loss": "apo_zero_unpaired"},
    ]
    for number, settings in enumerate(same):
        kto(f"same-{number}", max_steps=1, **settings)
    assert passes(shelf) == ["reference", "reference_kl"]
    kto("seed", seed=1, max_steps=1)
    kto("size", micro_batch=2, max_steps=1)
    assert passes(shelf) == ["reference", "reference_kl", "reference_kl", "reference_kl"]


def test_changed_rows_or_lengths_miss(kto, shelf):
    kto("first", max_steps=1)
    kto("rows", rows=[*PAIRS[:-1], {**PAIRS[-1], "chosen": "it is four and ten"}], max_steps=1)
    kto("length", max_length=30, max_steps=1)
    assert passes(shelf).count("reference") == 3


def test_no_reference_model_is_loaded_and_no_pass_made_a_second_time(kto, losses_of, monkeypatch):
    first = kto("first")

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(ptx_kto.train, "load_reference", fail)
    monkeypatch.setattr(reference, "log_probability", fail)
    assert losses_of(kto("second")) == losses_of(first)
