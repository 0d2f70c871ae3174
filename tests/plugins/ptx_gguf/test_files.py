from ptx.lm.load import load_model
from ptx_gguf.files import context_of, type_of
from tests.plugins.conftest import save_tiny_llama


def test_routers_norms_and_positions_are_never_rounded():
    for name in ("blk.0.ffn_gate_inp.weight", "position_embd.weight", "blk.0.attn_q_norm.weight"):
        assert type_of(name, (4, 64), "q4_0").name == "F32"
    assert type_of("blk.0.ffn_gate_exps.weight", (4, 8, 64), "q4_0").name == "Q4_0"
    assert type_of("blk.0.ffn_gate_exps.weight", (4, 8, 40), "q4_0").name == "F16"


def test_a_window_ends_the_context_that_the_file_promises(tmp_path):
    config = load_model(save_tiny_llama(tmp_path / "model", None)).config
    assert context_of(config) == 256
    config.sliding_window = 64
    assert context_of(config) == 64
    config.layer_types = ["full_attention"] * 2
    assert context_of(config) == 256
