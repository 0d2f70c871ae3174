"""The plugin itself: its settings, its wrapper around the training loop, the rules of plugins."""

import pytest

import ptx_sft
from ptx import ModelRef, RunConfig, hookimpl
from ptx.testing import check_plugin
from ptx_qat import RoundToNearest
from ptx_sft import SFT

ROWS = [{"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}"} for n in range(16)]
QUICK = {"learning_rate": 1e-2, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


def test_the_loop_is_a_hook_that_a_plugin_can_wrap(make_run, make_data, module_named, chat_model):
    seen = []

    @hookimpl(wrapper=True)
    def ptx_fit(run, method, model, trainer, checkpoint):
        seen.append((type(trainer).__name__, model.path, checkpoint))
        return (yield)

    run = make_run(RunConfig(method=SFT(**QUICK)), [ptx_sft, module_named("watching", ptx_fit=ptx_fit)])
    run.host.first(
        "ptx_train",
        run=run,
        method=run.config.method,
        model=ModelRef.of(chat_model),
        data=make_data("rows", ROWS),
    )
    assert seen == [("SFTTrainer", chat_model, None)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 1}, "method.qat.bits must be 2 to 8, got 1; try method.qat.bits=4"),
        (
            {"group_size": 4},
            "method.qat.group_size must be -1 or at least 8, got 4; try method.qat.group_size=128",
        ),
        ({"skip": ["("]}, "is no regular expression"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        RoundToNearest(**settings)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_qat")
