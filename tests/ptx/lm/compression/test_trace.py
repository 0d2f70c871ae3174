import pytest

from ptx.lm.compression.trace import read_by_code, trace_of
from ptx.lm.matrices import described
from tests.architectures import build

QKV = ["q_proj", "k_proj", "v_proj"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama", {"input_layernorm": QKV, "post_attention_layernorm": ["gate_proj", "up_proj"]}),
        ("gemma3", {"input_layernorm": QKV, "pre_feedforward_layernorm": ["gate_proj", "up_proj"]}),
        ("phi", {"input_layernorm": [*QKV, "fc1"]}),
        ("cohere", {"input_layernorm": [*QKV, "gate_proj", "up_proj"]}),
        ("olmo2", {}),
        ("mixtral", {"input_layernorm": QKV}),  # the other norm is read by experts and a router
        ("mamba", {"norm": ["in_proj"]}),
    ],
)
def test_a_norms_readers_are_those_that_get_its_output(tmp_path, name, expected):
    trace = trace_of(build(name, tmp_path / name))
    found = {
        norm.rpartition(".")[2]: [reader.rpartition(".")[2] for reader in readers]
        for norm, readers in trace.readers.items()
        if ".1." in norm
    }
    assert found == expected


def test_layers_whose_weight_the_model_reads_itself_are_not_among_the_called(tmp_path):
    called = trace_of(build("mamba", tmp_path / "mamba")).called
    assert {name.rpartition(".")[2] for name in called} == {"in_proj", "x_proj", "out_proj", "lm_head"}


def test_outputs_that_are_normed_are_seen(tmp_path):
    normed = trace_of(build("gemma2", tmp_path / "gemma2")).normed
    assert {name.rpartition(".")[2] for name in normed} == {"o_proj", "down_proj"}
    assert trace_of(build("llama", tmp_path / "llama")).normed == set()


def test_a_folder_without_a_model_has_no_trace(tmp_path):
    assert trace_of(tmp_path) is None


def test_layers_whose_weight_the_models_code_names_are_found(tmp_path):
    read = read_by_code(described(build("mamba", tmp_path / "mamba")))
    assert {name.rpartition(".")[2] for name in read} - {"lm_head"} == {"dt_proj", "out_proj", "x_proj"}
    assert read_by_code(described(build("llama", tmp_path / "llama"))) <= {"lm_head"}


def test_layers_that_a_module_further_up_reads_are_found(tmp_path):
    read = read_by_code(described(build("rwkv", tmp_path / "rwkv")))
    parts = {".".join(name.split(".")[-2:]) for name in read}
    assert {"attention.output", "feed_forward.value"} <= parts
    assert not {"attention.key", "feed_forward.key"} & parts
