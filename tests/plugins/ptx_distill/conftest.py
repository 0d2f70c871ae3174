"""A teacher that is deeper and wider than the student, with the same tokens, and runs that hold both."""

import pytest

import ptx_distill
from ptx import ModelRef, RunConfig
from ptx.store.store import Store

MESSAGES = [
    {
        "messages": [
            {"role": "user", "content": f"what is {n} plus {n}? "},
            {"role": "assistant", "content": f"it is {2 * n}" + "!" * (n % 4)},
        ]
    }
    for n in range(16)
]
QUICK = {"learning_rate": 3e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture(scope="session")
def wide_teacher(chat_model, tmp_path_factory):
    """Four layers of width 48 where the student (``chat_model``) has two of 32."""
    import torch

    from ptx.lm.load import load_model, load_tokenizer, save_model

    config = load_model(chat_model).config
    config.update({"num_hidden_layers": 4, "hidden_size": 48, "intermediate_size": 96, "head_dim": 24})
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("models") / "teacher"
    save_model(AutoModelForCausalLM.from_config(config), load_tokenizer(chat_model), folder)
    return folder


@pytest.fixture
def messages():
    return MESSAGES


@pytest.fixture
def shelf(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def teach(make_run, make_data, shelf, chat_model, wide_teacher):
    """``teach(Kind, "a", logits_weight=0)``: a run with a store and what came of it; ``model``, ``teacher``,
    ``rows`` and ``seed`` too.
    """

    def start(kind, name="step", model=None, teacher=None, rows=None, seed=0, stop=None, **settings):
        run = make_run(RunConfig(method=kind(**{**QUICK, **settings})), [ptx_distill], name, seed)
        run = run.at(store=shelf, models={"teacher": ModelRef.of(teacher or wide_teacher)})
        if stop is not None:
            object.__setattr__(run, "log", stop)
        data = make_data(f"rows-{name}", rows or MESSAGES)
        return run, run.host.first(
            "ptx_train", run=run, method=run.config.method, model=ModelRef.of(model or chat_model), data=data
        )

    return start
