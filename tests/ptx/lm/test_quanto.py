import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ptx.errors import StepError
from ptx.files import read_json
from ptx.lm.load import load_model, load_tokenizer, quiet
from ptx.lm.quanto import dense, flat_name, is_packed, open_packed, save_packed, unpack

IDS = torch.tensor([[1, 2, 3, 4, 5, 6]])


def logits(network):
    with torch.no_grad():
        return network(input_ids=IDS).logits.float()


@pytest.fixture
def pack(plain_model, tmp_path):
    """``pack("int4")``: the frozen network in memory, and the folder that it is saved to."""

    def make(weights, dtype="float32"):
        from optimum.quanto import freeze, quantize

        quiet()
        network = load_model(plain_model, dtype).eval()
        quantize(network, weights=f"q{weights}", exclude="lm_head")
        freeze(network)
        save_packed(network, load_tokenizer(plain_model), tmp_path / "packed", weights)
        return network, tmp_path / "packed"

    return make


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_a_packed_model_reads_back_as_it_was_in_memory(pack, plain_model, weights):
    network, folder = pack(weights)
    assert is_packed(folder)
    assert not is_packed(plain_model)
    opened = open_packed(folder, "cpu")
    assert torch.equal(logits(opened), logits(network))
    assert opened.generation_config.eos_token_id == network.generation_config.eos_token_id
    described = read_json(folder / "config.json")["quantization_config"]
    assert described["bits"] == int(weights.removeprefix("int"))


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_bfloat16_weights_with_norms_in_float32_compute_in_bfloat16_from_aligned_memory(pack, weights):
    """On the addresses of a mapped file the int8 product kills the process."""
    network, folder = pack(weights, "bfloat16")
    file = folder / "model.safetensors"
    held = {name: one.float() if "norm" in name else one for name, one in load_file(file).items()}
    save_file(held, file, metadata={"format": "pt"})
    opened = open_packed(folder, "cpu")
    packed = [one._data for one in opened.parameters() if hasattr(one, "qtype")]
    assert {getattr(one, "_data", one).data_ptr() % 16 for one in packed} == {0}
    assert {one.dtype for one in opened.parameters()} == {torch.bfloat16}
    assert torch.equal(logits(opened), logits(network))


def test_a_packed_model_can_be_used_in_inference_mode(pack):
    network, folder = pack("int4")
    with torch.inference_mode():
        found = open_packed(folder, "cpu")(input_ids=IDS).logits
    assert torch.equal(found, logits(network))


def test_unpacked_layers_are_ordinary_and_compute_the_same(pack):
    network, _ = pack("int8")
    before = logits(network)
    unpack(network)
    layer = network.model.layers[0].mlp.up_proj
    assert type(layer) is nn.Linear
    assert type(layer.weight.data) is torch.Tensor
    assert torch.allclose(logits(network), before, atol=1e-4)


def test_a_missing_tensor_is_an_error(pack):
    _, folder = pack("int8")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(StepError, match=r"1 tensor is missing on disk, first model\.norm\.weight"):
        open_packed(folder, "cpu")


@pytest.mark.parametrize(
    ("name", "flat"),
    [
        ("layers.0.up_proj.weight", "layers.0.up_proj.weight"),
        ("layers.0.up_proj.weight._scale", "layers.0.up_proj.weight_scale"),
        ("layers.0.up_proj.weight._data._data", "layers.0.up_proj.weight_data_data"),
        ("layers.0.up_proj.input_scale", "layers.0.up_proj.input_scale"),
    ],
)
def test_a_flat_name_has_one_part_after_its_module(name, flat):
    assert flat_name(name) == flat


def test_a_plain_weight_is_dense_already():
    weight = torch.ones(2, 2)
    assert dense(weight) is weight
