from dataclasses import replace

import pytest

from ptx import machine
from ptx.config import Exact, Lora, Speed, identity_of
from ptx.lm.training.method import TrlMethod, above, at_least, one_of
from ptx.lm.training.reinforced import Reinforced
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "expected"),
    [
        (16, None, 1, (16, 1)),
        (16, "auto", 1, (16, 1)),  # until the step starts
        (16, 4, 1, (4, 4)),
        (16, None, 4, (4, 1)),
        (16, 2, 4, (2, 2)),
        (16, 8, 4, (4, 1)),  # a rank has fewer examples than fit into a forward pass
    ],
)
def test_the_examples_of_all_ranks_and_passes_add_up_to_the_batch(batch, micro, ranks, expected):
    micro_batch, passes = TrlMethod(batch_size=batch, micro_batch=micro).shares(ranks)
    assert (micro_batch, passes) == expected
    assert micro_batch * passes * ranks == batch


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, r"method\.learning_rate must be positive, got 0\.0; try .*=1e-5"),
        ({"learning_rate": float("nan")}, "must be positive, got nan"),
        ({"epochs": -1.0}, r"method\.epochs must be positive"),
        ({"warmup": -0.1}, r"method\.warmup must be at least 0"),
        ({"max_steps": 0}, r"method\.max_steps must be positive, got 0; try method\.max_steps=100"),
        ({"scheduler": "cosin"}, r"there is no method\.scheduler 'cosin'; did you mean 'cosine'\?"),
        ({"dtype": "int8"}, r"there is no method\.dtype 'int8'"),
        (
            {"batch_size": 12, "micro_batch": 5},
            r"method\.micro_batch must divide method\.batch_size=12, got 5; try method\.micro_batch=4",
        ),
        ({"batch_size": 12, "micro_batch": 0}, r"try method\.micro_batch=1"),
        ({"micro_batch": "most"}, r"method\.micro_batch is a number, got most; try method\.micro_batch=auto"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_that_works(settings, message):
    with pytest.raises(ValueError, match=message):
        TrlMethod(**settings)


def test_max_steps_of_minus_one_leaves_the_number_of_steps_to_the_epochs():
    assert TrlMethod(max_steps=-1).max_steps == -1


def test_bounds_are_exclusive_above_and_inclusive_at_least():
    method = TrlMethod(weight_decay=1.0)
    above(0.5, method, "weight_decay", "2")
    at_least(1.0, method, "weight_decay", "2")
    with pytest.raises(ValueError, match=r"method\.weight_decay must be greater than 1\.0, got 1\.0"):
        above(1.0, method, "weight_decay", "2")
    with pytest.raises(ValueError, match=r"there is no method\.dtype 'auto'"):
        one_of(("float32",), method, "dtype")


SHAPE = ModelShape(10**8, 4 * 10**8, 512, 8, 2048, 8, 8, 64, 32000, 10**7, True, True, 10**5, 2, 0)
WORK = Workload(SHAPE, "cuda", 512, 100)


def test_auto_becomes_a_number_when_the_step_starts_and_can_be_halved():
    fitted = TrlMethod(batch_size=12).fitted(WORK, 1e15)
    assert (fitted.micro_batch, fitted.smaller().micro_batch) == (12, 6)
    sizes = []
    while fitted is not None:
        sizes.append(fitted.micro_batch)
        fitted = fitted.smaller()
    assert sizes == [12, 6, 3, 1]


@pytest.mark.parametrize("micro", [None, 4])
def test_a_micro_batch_that_was_typed_is_neither_chosen_nor_halved(micro):
    method = TrlMethod(batch_size=12, micro_batch=micro)
    assert method.fitted(WORK, 1.0).micro_batch == micro
    assert method.smaller() is None


def test_a_loss_that_compares_the_examples_of_a_pass_keeps_them_together():
    class Comparing(TrlMethod):
        compares_examples = True

    assert Comparing().fitted(WORK, 1.0).micro_batch == "auto"
    assert Comparing().fitted(WORK, 1.0).shares() == (16, 1)


def test_the_key_holds_auto_and_not_what_it_became():
    assert identity_of(TrlMethod())["micro_batch"] == "auto"
    assert identity_of(TrlMethod()) == identity_of(TrlMethod())
    assert identity_of(TrlMethod(micro_batch=4)) != identity_of(TrlMethod())


@pytest.mark.parametrize(
    ("settings", "device", "weights", "processor", "expected"),
    [
        ({}, "cpu", 10**8, True, True),
        ({}, "cpu", 10**8, False, False),  # emulated products are slower
        ({}, "cpu", 10**6, True, False),  # the casts cost more than they save
        ({}, "cuda", 10**8, True, False),  # there the dtype decides
        ({"dtype": "float32"}, "cpu", 10**8, True, False),
        ({"speed": Exact()}, "cpu", 10**8, True, False),
        ({"speed": Speed(bf16=True)}, "cpu", 10**6, False, True),  # as it was typed
    ],
)
def test_bfloat16_on_a_cpu_is_decided_before_the_key(
    monkeypatch, settings, device, weights, processor, expected
):
    monkeypatch.setattr(machine, "multiplies_bfloat16", lambda: processor)
    placed = TrlMethod(**settings).placed(replace(SHAPE, parameters=weights), device)
    assert placed.speed.bf16 is expected
    assert identity_of(placed)["speed"]["bf16"] is expected


def test_a_method_that_scores_or_casts_weights_for_each_token_stays_in_float32(monkeypatch):
    monkeypatch.setattr(machine, "multiplies_bfloat16", lambda: True)
    shape = replace(SHAPE, parameters=10**8)

    class Scoring(TrlMethod):
        makes = "reward"

    def narrow(method):
        return method.placed(shape, "cpu").speed.bf16

    assert not narrow(Scoring())
    assert narrow(Reinforced())
    assert not narrow(Reinforced(rollout="trl"))


def test_what_saves_memory_names_only_what_is_not_in_use():
    class Cut(TrlMethod):
        max_length = 1024

    assert Cut(micro_batch=8).saves_memory(Workload(SHAPE, "cpu", 512, 100)) == [
        "method.micro_batch=4",
        "method.args.gradient_checkpointing=true",
        "lora=lora",
        "method.max_length=256",
    ]
    assert TrlMethod(lora=Lora()).saves_memory(WORK) == ["method.lora.quantize=true"]


def test_the_work_of_a_training_is_its_tokens():
    ten = TrlMethod(max_steps=10).amount(WORK)
    assert ten.units == 10 * 16 * 512
    assert TrlMethod(epochs=2).amount(WORK).units == 200 * 512
    assert TrlMethod(lora=Lora()).amount(WORK).alike != ten.alike
