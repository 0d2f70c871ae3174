"""The built-in tiny model, pruned."""

from pathlib import Path

import pytest
import torch

import ptx_prune
import ptx_tiny
from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model
from ptx_tiny.data import calibration

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture(scope="module")
def texts():
    return [row["text"] for _, row in zip(range(120), calibration(), strict=False)]


@pytest.fixture
def prune(make_run, make_data, texts):
    """``prune(config)``: a run, and the built-in tiny model (or another) as this plugin prunes it."""

    def pruned(config, model=TINY, name="step", seed=0):
        data = make_data("calibration", [{"text": text} for text in texts[:80]])
        run = make_run(RunConfig(compress={"sparsegpt": config}), (ptx_prune,), name, seed)
        made = run.host.first("ptx_compress", run=run, compressor=config, model=ModelRef.of(model), data=data)
        return run, made

    return pruned


@pytest.fixture
def linear_weights():
    """``linear_weights(path)``: the model, and the weights of its linear layers without the output layer."""

    def read(path):
        model = load_model(path)
        head = model.get_output_embeddings()
        return model, {
            name: module.weight.detach()
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }

    return read
