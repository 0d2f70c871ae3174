import pytest

from ptx_quant import AWQ, GPTQ, RTN, AutoRound, Mixed, SmoothQuant, SpinQuant, architecture
from ptx_quant.architecture import KNOWN, PLAIN, architecture_problems
from tests.architectures import ARCHITECTURES, build

MAMBA = ["dt_proj", "out_proj", "x_proj"]  # what the message says


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = {}

    def model(name):
        if name not in made:
            made[name] = build(name, tmp_path_factory.mktemp("models") / name)
        return made[name]

    return model


@pytest.mark.parametrize("name", [name for name, (kind, _) in ARCHITECTURES.items() if kind in PLAIN])
def test_what_is_taken_for_granted_is_what_one_finds_when_one_looks(models, name, monkeypatch):
    kind = ARCHITECTURES[name][0]
    granted = {AWQ: kind in KNOWN["awq"], SmoothQuant: kind in KNOWN["smoothquant"], GPTQ: True}
    monkeypatch.setattr(architecture, "PLAIN", ())
    for step in (known for known, certain in granted.items() if certain):
        assert architecture_problems(step(), models(name)) == []


def test_every_plain_type_is_among_the_tested_architectures():
    assert set(PLAIN) <= {kind for kind, _ in ARCHITECTURES.values()}


@pytest.mark.parametrize(
    ("name", "step", "said"),
    [
        ("gpt_neox", AWQ(), "does not know its layers"),
        ("phi", SpinQuant(), "its norms have a bias"),
        (
            "mamba",
            RTN(),
            r"reads the weight of dt_proj, out_proj, x_proj itself.*skip=\[dt_proj,out_proj,x_proj\]",
        ),
        ("gpt2", GPTQ(), r"12 of its 12 layers are Conv1D.*prune it instead: compress=\[sparsegpt\]"),
        ("falcon", RTN(), r"12 of its 12 layers are FalconLinear.*prune it instead: compress=\[sparsegpt\]"),
        ("gpt_oss", RTN(), r"reads its experts in stacks alone.*compress=\[magnitude\]"),
        ("mamba", AutoRound(), "decoder layers of one kind, and there are MambaBlock, MambaMixer"),
        ("rwkv", RTN(), r"reads the weight of each of its layers as it loads it; prune it instead"),
        ("nemotron_h", AWQ(), "llm-compressor does not know its layers"),  # and not what skip= alone mends
        (
            "nemotron_h",
            AutoRound(),
            r"reads the weight of out_proj.*1 other layers have a side.*skip=\[in_proj,out_proj\]",
        ),
        ("olmo2", SmoothQuant(), "no norm of it is read by linear layers alone"),
        ("gemma3", SpinQuant(), "the outputs of down_proj, o_proj are normed"),
        ("stablelm", SpinQuant(), "its norms have a bias"),
        ("mixtral", AWQ(), r"does not know the experts of a mixture; use compress=\[gptq\]"),
        (
            "gpt_oss",
            AWQ(),
            r"does not know the experts of a mixture; prune it instead: compress=\[magnitude\]",
        ),
        ("qwen3_moe", AutoRound(), "does not know the experts of a mixture"),
        ("mixtral", Mixed(), "does not know the experts of a mixture"),
        ("qwen3_moe", RTN(scheme="w8a8"), "packed symmetric integers alone, not scheme=w8a8"),
        ("qwen3_moe", RTN(symmetric=False), "not symmetric=false; leave out compress.rtn.symmetric"),
        ("mixtral", GPTQ(skip=["experts"]), "6 of 6 stacks of experts are skipped"),
    ],
)
def test_what_an_architecture_does_not_allow_is_known_from_its_config(models, name, step, said):
    (problem,) = architecture_problems(step, models(name))
    assert __import__("re").search(said, str(problem)), problem


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("mamba", RTN(skip=MAMBA)),
        ("mixtral", GPTQ()),
        ("qwen3_moe", RTN()),
        ("llama", SpinQuant()),
        ("llama_odd", SpinQuant()),  # 80 is no power of two
    ],
)
def test_what_works_is_not_refused(models, name, step):
    assert architecture_problems(step, models(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("mamba", RTN(skip=MAMBA)),
        ("mixtral", RTN()),
        ("qwen3_moe", GPTQ(samples=8)),
        ("gemma3", RTN()),  # norms that multiply by 1 + weight stay as they are, to the bit
        ("gemma3", SmoothQuant(then="none", samples=8)),
        ("phi", SmoothQuant(then="rtn", samples=8)),
        ("llama_odd", SpinQuant(then="none")),
        ("nemotron_h", RTN(skip=["in_proj", "out_proj"], group_size=32)),  # files call its layers otherwise
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_advice_that_is_followed_works(models, squeeze, name, step):
    run, made = squeeze(step, models(name))
    assert "is what was in memory" in run.console.lines[-1]
    assert made.path.is_dir()


@pytest.mark.slow
def test_a_change_of_coordinates_that_changes_the_model_is_refused_before_it_is_rounded(
    models, squeeze, monkeypatch
):
    """The layers that the library's own table names for Phi, half of those that read the norm."""
    from ptx import StepError
    from ptx_quant import compress

    def half(_config, _model, _layers):
        return {f"model.layers.{n}.input_layernorm": [f"model.layers.{n}.self_attn.q_proj"] for n in range(3)}

    monkeypatch.setattr(compress, "smoothable", half)
    with pytest.raises(StepError, match=r"SmoothQuant must not change what the model computes, and it moved"):
        squeeze(SmoothQuant(then="rtn", samples=8), models("phi"))
