"""Packages that several tests open; each is built once, since the builder takes seconds."""

import pytest

import ptx_onnx
from ptx import ModelRef, RunConfig
from ptx_onnx import Onnx, ptx_export
from tests.plugins.conftest import TEMPLATE, save_tiny_llama
from tests.plugins.packed import write_packed


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory):
    """As everywhere, and wide enough for two blocks of 32."""
    return save_tiny_llama(
        tmp_path_factory.mktemp("models") / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4
    )


@pytest.fixture
def export(make_run):
    """``export(config, model)``: the step, outside of a sweep; returns the run and the package."""

    def go(config, model, name="step", seed=0):
        run = make_run(RunConfig(runtime=config), [ptx_onnx], name, seed)
        return run, ptx_export(run, config, ModelRef.of(model))

    return go


@pytest.fixture(scope="session")
def fp32_package(tmp_path_factory, chat_model, warm_python):
    """The chat model of the tests in float32, built without the step around it."""
    from ptx_onnx.build import build

    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.executable", warm_python)
        build(Onnx(precision="fp32"), chat_model, folder / "fp32", {}, folder / "scratch")
    return folder / "fp32"


@pytest.fixture(scope="session")
def packed_model(tmp_path_factory, chat_model):
    """The chat model as a compressed-tensors checkpoint: 3 bits, one zero point and scale per 16 weights."""
    return write_packed(chat_model, tmp_path_factory.mktemp("models") / "packed", bits=3, group=16)
