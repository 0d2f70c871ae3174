"""method=mix: SFT where both weights are 0, all three losses are learnt, and resuming."""

import pytest

import ptx_mix
import ptx_sft
from ptx import Lora, RunConfig
from ptx.data import open_data
from ptx_sft import SFT

QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


def shown(run, name):
    return [numbers[name] for numbers in run.console.progressed if name in numbers]


@pytest.mark.parametrize("more", [{}, {"micro_batch": 2, "lora": Lora(r=4)}], ids=str)
def test_with_weights_of_0_the_losses_are_those_of_sft_to_the_last_digit(
    mix, make_run, train, chat_model, family, losses_of, more
):
    mixed, _ = mix(lambda_pref=0, lambda_safe=0, seed=3, **more)
    plain = make_run(RunConfig(method=SFT(**QUICK, **more)), [ptx_sft], "sft", 3)
    train(plain, chat_model, open_data("family", family))
    assert len(losses_of(mixed)) == 3
    assert losses_of(mixed) == losses_of(plain)


def test_all_three_are_learnt(mix):
    run, _ = mix(max_steps=16, learning_rate=5e-3, lora=Lora(r=8))
    for name in ("sft_loss", "pref_loss", "safety_loss"):
        assert shown(run, name)[-1] < 0.8 * shown(run, name)[0], name


def test_a_training_that_was_stopped_goes_on_with_the_batches_it_had_come_to(
    mix, make_run, train, chat_model, family, losses_of
):
    whole, result = mix("whole", max_steps=5, checkpoint_every=3)
    broken = make_run(whole.config, [ptx_mix], "broken")

    def stop_at_four(metrics, step, total=None):
        if step == 4:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, open_data("family", family))
    resumed = make_run(whole.config, [ptx_mix], "broken")
    assert train(resumed, chat_model, open_data("family", family)).digest == result.digest
    assert losses_of(resumed) == losses_of(whole)[3:]
