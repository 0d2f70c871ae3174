"""The quantisation step as a run runs it, and llm-compressor as its documentation has it."""

import pytest

import ptx_checks
import ptx_quant
from ptx import ModelRef, RunConfig
from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model, load_tokenizer, quiet

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "red",
    "mat",
    "and",
    "looked",
    "at",
    "seven",
    "small",
    "birds",
    "in",
    "the",
    "old",
    "garden",
    "while",
    "it",
    "rained",
]


@pytest.fixture(scope="session")
def texts():
    return [" ".join(WORDS[(n * 7 + k * k) % len(WORDS)] for k in range(8 + n % 5)) for n in range(24)]


@pytest.fixture
def squeeze(make_run, make_data, plain_model, texts):
    """``squeeze(config)``: the step as a run runs it, post-conditions included: the run, the result."""

    def quantised(config, model=plain_model, name="step", seed=0, plugins=()):
        run = make_run(RunConfig(), (ptx_quant, ptx_checks, *plugins), name, seed)
        data = make_data("calibration", [{"text": text} for text in texts])
        return run, run.host.first(
            "ptx_compress", run=run, compressor=config, model=ModelRef.of(model), data=data
        )

    return quantised


@pytest.fixture
def plain_call(plain_model, texts, tmp_path):
    """``plain_call(modifiers)``: llm-compressor as its documentation has it.

    Returns the model in memory, and the folder where it is saved.
    """
    quiet()
    from datasets import Dataset
    from llmcompressor import oneshot
    from llmcompressor.core import reset_session

    reset_session()

    def call(*modifiers, model=plain_model, save="", dtype="float32", **options):
        network, tokenizer = load_model(model, dtype), load_tokenizer(plain_model)
        rows = Dataset.from_list([dict(tokenizer(text)) for text in texts])
        data = (
            {"dataset": rows, "num_calibration_samples": 6, "max_seq_length": 64}
            if options.pop("data", True)
            else {}
        )
        oneshot(model=network, tokenizer=tokenizer, recipe=list(modifiers), **data, **options)
        if save:
            network.save_pretrained(tmp_path / save, save_compressed=True)
            tokenizer.save_pretrained(tmp_path / save)
        return network, tmp_path / save

    yield call
    reset_session()


@pytest.fixture
def pruned(plain_model, tmp_path):
    """Half of every layer's weights zero, by magnitude."""
    network, folder = load_model(plain_model), tmp_path / "pruned"
    for layer in targeted_layers(network, []).values():
        layer.weight.data[layer.weight.abs() < layer.weight.abs().median()] = 0
    network.save_pretrained(folder)
    load_tokenizer(plain_model).save_pretrained(folder)
    return folder


@pytest.fixture
def sparsity():
    """``sparsity(network)``: the mean share of zeros of its linear layers, without the output layer."""

    def share(network):
        layers = targeted_layers(network, []).values()
        return sum(float((layer.weight == 0).float().mean()) for layer in layers) / len(layers)

    return share
