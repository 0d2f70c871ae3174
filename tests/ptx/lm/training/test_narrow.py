"""Products in bfloat16 that see what a small rate has learnt."""

from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model

import ptx_dpo
from ptx import Lora, RunConfig, Speed
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training import narrow
from ptx.lm.training.memory import narrows, narrows_base
from ptx.lm.training.method import TrlMethod

PAIRS = [
    {"prompt": f"what is {n}? ", "chosen": f"it is {n}", "rejected": f"it is {n + 1}"} for n in range(16)
]


@pytest.fixture
def trainer():
    """A trainer of one layer whose weights, 0.5, lie on bfloat16's grid."""
    layer = torch.nn.Linear(4096, 8, bias=False)
    layer.weight.data.fill_(0.5)
    return SimpleNamespace(model=torch.nn.Sequential(layer), state=SimpleNamespace(global_step=0))


def learn(trainer, share):
    """Move every second weight by a share of bfloat16's step."""
    trainer.model[0].weight.data[:, ::2] = 0.5 + share * 2**-8
    trainer.state.global_step += 1


def under_autocast(trainer, given):
    with torch.autocast("cpu", torch.bfloat16):
        return trainer.model(given).float()


def test_a_change_of_less_than_half_a_step_is_seen(trainer):
    given = torch.tensor([[1.0, -1.0]]).repeat(1, 2048)  # what did not move takes itself away

    def seen():
        return float(under_autocast(trainer, given).detach().mean())

    with narrow.narrow_weights(trainer, 0, wanted=True):
        assert seen() == 0
        for share in (0.1, 0.2, 0.4):
            learn(trainer, share)
            assert seen() == pytest.approx(2048 * share * 2**-8, rel=0.1)
    assert seen() == 0  # to the nearest all of it is lost


def test_weights_are_rounded_once_in_a_step_and_at_the_same_thresholds(trainer, monkeypatch):
    asked, rounded = [], narrow.rounded
    monkeypatch.setattr(narrow, "rounded", lambda *given: asked.append(given[-1]) or rounded(*given))
    given = torch.randn(3, 4096)
    with narrow.narrow_weights(trainer, 7, wanted=True):
        learn(trainer, 0.3)
        first = under_autocast(trainer, given)
        assert torch.equal(under_autocast(trainer, given), first)
        assert asked == [7]
        learn(trainer, 0.3)
        assert torch.equal(under_autocast(trainer, given), first)
        assert asked == [7, 7]


def test_weights_between_the_points_of_the_grid_are_left_to_autocast(trainer, monkeypatch):
    monkeypatch.setattr(narrow, "rounded", lambda *_: pytest.fail("nothing to round"))
    learn(trainer, 0.3)
    with narrow.narrow_weights(trainer, 0, wanted=True):
        under_autocast(trainer, torch.randn(3, 4096))


def test_the_gradient_is_that_of_the_weight(trainer):
    given = torch.randn(3, 4096)
    under_autocast(trainer, given).sum().backward()
    (weight,) = trainer.model.parameters()
    expected, weight.grad = weight.grad, None
    with narrow.narrow_weights(trainer, 0, wanted=True):
        under_autocast(trainer, given).sum().backward()
    assert weight.grad.dtype == torch.float32
    assert torch.equal(weight.grad, expected)


def test_a_copy_that_was_made_in_inference_mode_can_be_learnt_with(trainer):
    given = torch.randn(3, 4096)
    with narrow.narrow_weights(trainer, 0, wanted=True):
        with torch.inference_mode():
            under_autocast(trainer, given)
        under_autocast(trainer, given).sum().backward()
    assert trainer.model[0].weight.grad is not None


def test_frozen_layers_and_products_without_autocast_are_left_alone(trainer, monkeypatch):
    monkeypatch.setattr(narrow, "rounded", lambda *_: pytest.fail("nothing to round"))
    given = torch.randn(3, 4096)
    with narrow.narrow_weights(trainer, 0, wanted=True):
        assert trainer.model(given).dtype == torch.float32
    trainer.model.requires_grad_(False)
    with narrow.narrow_weights(trainer, 0, wanted=True):
        under_autocast(trainer, given)


def test_the_base_of_an_adapter_is_narrow_while_it_trains_and_computes_what_autocast_does():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(32, 16), torch.nn.Linear(16, 8))
    network[0].weight.data = network[0].weight.data.bfloat16().float()  # the second lies between the points
    held = [layer.weight.detach().clone() for layer in network]
    adapted = get_peft_model(network, LoraConfig(target_modules=["0", "1"], init_lora_weights=False))
    trainer, given = SimpleNamespace(model=adapted), torch.randn(5, 32)
    plain = adapted(given)

    def learnt():
        adapted.zero_grad()
        found = under_autocast(trainer, given)
        found.sum().backward()
        return [found, *(weight.grad for weight in adapted.parameters() if weight.requires_grad)]

    expected = learnt()
    with narrow.narrow_base(trainer, wanted=True):
        assert [layer.base_layer.weight.dtype for layer in network] == [torch.bfloat16, torch.float32]
        assert all(torch.equal(one, other) for one, other in zip(learnt(), expected, strict=True))
        assert torch.equal(adapted(given), plain)
    assert all(
        torch.equal(layer.base_layer.weight, weight) for layer, weight in zip(network, held, strict=True)
    )
    assert torch.equal(adapted(given), plain)


def test_an_adapter_a_compiled_training_and_a_gpu_have_no_copy():
    narrow_speed = Speed(bf16=True)
    assert narrows(TrlMethod(speed=narrow_speed), "cpu")
    assert not narrows(TrlMethod(speed=narrow_speed), "cuda")
    assert not narrows(TrlMethod(speed=Speed(bf16=True, compile=True)), "cpu")
    assert not narrows(TrlMethod(speed=narrow_speed, lora=Lora()), "cpu")
    assert narrows_base(TrlMethod(speed=narrow_speed, lora=Lora()), "cpu")
    assert not narrows_base(TrlMethod(lora=Lora()), "cpu")


def test_a_stopped_training_goes_on_with_the_same_digits(make_run, train, make_data, plain_model, tmp_path):
    model = tmp_path / "narrow"
    save_model(load_model(plain_model).bfloat16(), load_tokenizer(plain_model), model)

    def run_of(name, stop=None):
        method = ptx_dpo.DPO(
            batch_size=4, max_steps=4, learning_rate=1e-4, checkpoint_every=2, speed=Speed(bf16=True)
        )
        run = make_run(RunConfig(method=method), [ptx_dpo], name)
        if stop:
            shown = run.console.progress

            def progress(label, metrics, step, total=None):
                shown(label, metrics, step, total)
                if step == stop and "loss" in metrics:
                    raise KeyboardInterrupt

            run.console.progress = progress
        return train(run, model, make_data("pairs", PAIRS))

    whole = run_of("whole")
    with pytest.raises(KeyboardInterrupt):
        run_of("broken", stop=3)
    assert run_of("broken").digest == whole.digest
