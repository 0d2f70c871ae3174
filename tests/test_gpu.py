"""What only a GPU shows; ``make test-gpu`` runs it, and skips with a sentence where there is none."""

import pytest
import torch

from ptx.compose.jobs import compose_jobs
from ptx.config import Exact, Speed
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.training import reference
from ptx.machine import installed_version
from ptx.plan.planner import make_plan
from ptx.testing import Silent

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no GPU here: what only a GPU shows is not tested"
    ),
]
WORDS = [
    "model=tiny",
    "data=tiny",
    "data.limit=32",
    "device=cuda",
    "method.max_steps=4",
    "method.batch_size=8",
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """``run(words)``: the folder of a finished run on the GPU."""
    monkeypatch.chdir(tmp_path)

    def start(*words, out="out"):
        jobs = compose_jobs(get_host(), "train", [*WORDS, "eval=[]", *words, f"out={out}"])
        plan = make_plan(get_host(), "train", jobs, "gpu")
        assert run_sweep(plan, get_host(), Silent()).failed == ()
        return plan.folder / plan.runs[0].id

    return start


def losses(folder):
    logged = [event for event in read_rows(folder / "events.jsonl") if event["event"] == "log"]
    return [event["metrics"]["loss"] for event in logged if "loss" in event["metrics"]]


@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16", "float16"])
def test_a_model_is_trained_in_every_dtype(run, dtype):
    found = losses(run("method=sft", f"method.dtype={dtype}"))
    assert len(found) == 4
    assert all(0 < loss < 10 for loss in found)


def test_fast_has_the_losses_of_exact_within_the_rounding_of_bfloat16(run):
    for method in ("sft", "dpo"):
        exact, fast = (
            losses(run(f"method={method}", f"speed={speed}", out=speed)) for speed in ("exact", "fast")
        )
        assert fast == pytest.approx(exact, abs=2e-2)


def test_a_merged_adapter_is_the_adapter_but_for_rounding(run):
    folder = run("method=sft", "lora=lora")
    (merge,) = [event for event in read_rows(folder / "events.jsonl") if event["event"] == "merge"]
    assert merge["kl"] < 0.05
    assert merge["flips"] < 0.2


@pytest.mark.parametrize(
    "words",
    [
        ["compress=[rtn]", "compress.rtn.dtype=bfloat16"],
        ["compress=[rtn]", "compress.rtn.dtype=bfloat16", "compress.rtn.scheme=fp8_dynamic"],
        ["compress=[gptq]", "compress.gptq.dtype=bfloat16", "compress.gptq.statistics=shared"],
        ["compress=[awq]", "compress.awq.dtype=bfloat16", "compress.awq.args={n_grid: 3}"],
        ["compress=[awq]", "compress.awq.dtype=bfloat16", "compress.awq.statistics=shared"],
        ["compress=[spinquant]", "compress.spinquant.dtype=bfloat16"],
        ["compress=[mixed]", "compress.mixed.dtype=bfloat16", "compress.mixed.probes=2"],
        ["compress=[sparsegpt]", "compress.sparsegpt.statistics=shared"],
    ],
    ids=lambda words: "-".join(word.rpartition("=")[2].strip("[]") for word in (words[0], words[-1])),
)
def test_what_is_saved_is_what_was_in_memory(run, words):
    """In 16 bits, where a kernel that rounds in another way shows; the step itself refuses a difference."""
    folder = run("method=sft", *words)
    (checked,) = [event for event in read_rows(folder / "events.jsonl") if event["event"] == "checked"]
    assert checked["reload_kl"] < 5e-3


def test_two_ranks_on_the_cpu_work_beside_a_gpu(run):
    words = ("method=sft", "device=cpu", "launch=torchrun", "launch.processes=2")
    assert losses(run(*words)) == pytest.approx(losses(run("method=sft", "device=cpu", out="one")), abs=1e-4)


@pytest.mark.skipif(not installed_version("bitsandbytes"), reason="bitsandbytes is not installed")
def test_qlora_is_compared_with_the_full_and_with_the_4_bit_base(run):
    folder = run("method=sft", "lora=lora", "method.lora.quantize=true")
    merges = [event for event in read_rows(folder / "events.jsonl") if event["event"] == "merge"]
    assert [merge["against"] for merge in merges] == [
        "the model with its adapter",
        "the 4-bit model with its adapter",
    ]
    assert merges[0]["kl"] <= merges[1]["kl"]


def test_latency_and_peak_memory_are_those_of_the_gpu(run):
    folder = run("method=sft", "eval=[latency]")
    metrics = {metric["name"]: metric["value"] for metric in read_json(folder / "result.json")["metrics"]}
    assert any(name.startswith("latency/") for name in metrics)
    assert all(value > 0 for name, value in metrics.items() if "memory" in name or "seconds" in name)


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("bfloat16", 5e-2)])
def test_a_reference_in_batches_moves_by_rounding_only(tiny_model, dtype, bound):
    from trl.trainer.utils import add_fused_lm_head

    network = load_model(tiny_model, dtype, "cuda")
    add_fused_lm_head(network)
    words = load_tokenizer(tiny_model).vocab_size
    answers = [
        reference.Answer(tuple((7 * place + n * n) % words for place in range(9 + 5 * n)), 4 + n, 5 + 4 * n)
        for n in range(20)
    ]
    with torch.no_grad():
        for batch in reference.batches(answers, Speed().tokens_of_a_batch("cuda")):
            together = reference.log_probabilities(network, batch, None)
            for answer, value in zip(batch, together, strict=True):
                (alone,) = reference.log_probabilities(network, [answer], None)
                assert abs(value - alone) <= bound * answer.whole
    assert Exact().tokens_of_a_batch("cuda") == 0
