from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from ptx import Compressor, Lora, Promise, RunConfig
from ptx.lm.serving.plain_weights_only import problems
from ptx.lm.training.method import TrlMethod
from tests.architectures import build


@dataclass
class Pack(Compressor):
    needs: ClassVar[tuple[str, ...]] = ()

    def promise(self):
        return Promise(bits=4)


@dataclass
class Prune(Compressor):
    needs: ClassVar[tuple[str, ...]] = ()


def found(model, config=None, library="json"):
    return [str(each) for each in problems(config or RunConfig(), model, "openvino", library, "openvino")]


def test_a_plain_model_can_be_exported(plain_model):
    assert found(plain_model) == []
    assert found(plain_model, RunConfig(compress={"prune": Prune()})) == []
    assert found(plain_model, RunConfig(method=TrlMethod(lora=Lora(r=4)))) == []


def test_the_library_and_the_cpu_are_needed(plain_model):
    missing, gpu = found(plain_model, RunConfig(device="cuda"), library="no_such_library")
    assert missing == "runtime=openvino needs no_such_library; pip install 'ptx[openvino]'"
    assert gpu.startswith("runtime=openvino serves on the CPU, and device=cuda is given; leave device= out")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (RunConfig(compress={"pack": Pack()}), "and pack packs them; leave pack out"),
        (RunConfig(method=TrlMethod(lora=Lora(r=4, merge=False))), "leaves an adapter (lora.merge=false)"),
    ],
)
def test_a_step_that_leaves_no_plain_weights_is_refused(plain_model, config, part):
    (message,) = found(plain_model, config)
    assert message.startswith("runtime=openvino exports plain weights, ")
    assert part in message


def test_an_adapter_and_packed_weights_are_refused(plain_model, tmp_path):
    adapter, packed = tmp_path / "adapter", tmp_path / "packed"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (message,) = found(adapter)
    assert message.endswith(f"and {adapter} is an adapter; merge it first, or use runtime=onnx")
    packed.mkdir()
    for file in plain_model.iterdir():
        (packed / file.name).write_bytes(file.read_bytes())
    config = json.loads((packed / "config.json").read_text())
    (packed / "config.json").write_text(json.dumps(config | {"quantization_config": {}}))
    (message,) = found(packed)
    assert message.endswith(
        f"and those of {packed} are packed; use runtime=onnx, which exports packed weights"
    )


def test_a_folder_that_is_no_model_is_left_to_the_core(tmp_path):
    assert found(tmp_path) == []


def test_a_context_length_is_needed_whatever_its_name(tmp_path):
    gpt2, mamba = (build(name, tmp_path / name) for name in ("gpt2", "mamba"))
    assert problems(RunConfig(), gpt2, "openvino", "json", "openvino") == []
    (problem,) = problems(RunConfig(), mamba, "openvino", "json", "openvino")
    assert "config.json of" in str(problem)
    assert "use runtime=hf" in str(problem)
