"""The forecast of a training's memory. benchmarks/memory.py compares it with measured peaks."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ptx.config import Exact, Lora
from ptx.lm.training.memory import LIBRARIES, Passes, divisors, fit
from ptx.lm.training.method import TrlMethod
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape

#: a Llama of 135 M parameters (SmolLM2)
SMALL = ModelShape(
    parameters=134_515_008,
    stored=269_060_552,
    hidden=576,
    layers=30,
    ffn=1536,
    heads=9,
    pairs=3,
    head_size=64,
    words=49152,
    tables=28_311_552,
    tied=True,
    gated=True,
    ends=305_280,
    norms=2,
    head_norms=0,
)


def work(device="cpu", longest=512, **more):
    return Workload(SMALL, device, longest, 100, **more)


def test_weights_moments_and_gradients_are_those_of_float32():
    parts = TrlMethod(batch_size=1).memory(work(longest=8)).device
    assert parts["weights"] == pytest.approx(4 * SMALL.parameters)
    assert parts["optimizer"] == pytest.approx(8 * SMALL.parameters)
    assert parts["gradients"] == pytest.approx(
        4 * SMALL.parameters
    )  # short rows: the backward pass is the peak


def test_activations_grow_with_the_rows_and_shrink_with_checkpointing():
    method = TrlMethod(batch_size=16)
    small, large = (method.memory(work("cuda"), n, checkpointing=False).device["activations"] for n in (4, 8))
    assert 1.8 < large / small < 2.05
    kept = method.memory(work("cuda"), 8, checkpointing=True).device["activations"]
    assert kept < large / 8


def test_an_adapter_needs_no_moments_of_the_base_and_qlora_little_of_its_weights():
    full, adapter = (TrlMethod(lora=lora).memory(work("cuda")) for lora in (None, Lora(r=8)))
    assert adapter.device["optimizer"] < full.device["optimizer"] / 50
    four = TrlMethod(lora=Lora(quantize=True)).memory(work("cuda")).device["weights"]
    assert four < adapter.device["weights"] * 0.65


def test_a_large_vocabulary_is_what_a_small_model_pays_for_in_trl_s_tiles_on_a_cpu():
    parts = TrlMethod(batch_size=16, speed=Exact()).memory(work(longest=256)).device
    assert parts["loss"] == pytest.approx(7 * 4 * 4096 * 32768)
    assert parts["loss"] > parts["weights"] + parts["optimizer"] + parts["gradients"]
    assert TrlMethod(batch_size=16).memory(work(longest=256)).device["loss"] == parts["loss"] / 16


def test_a_chosen_micro_batch_is_no_wider_on_a_cpu_than_it_gains_by():
    method = TrlMethod(batch_size=12)
    assert fit(method, work(longest=1000), 1e15).micro == 2
    assert fit(TrlMethod(batch_size=3), work(longest=1000), 1e15).micro == 1
    assert fit(method, work("cuda", longest=1000), 1e15).micro == 12


def test_sampling_counts_keys_and_values_of_the_whole_batch():
    class Sampler(TrlMethod):
        max_completion_length = 4096

        def passes(self, work):
            return Passes(16, rollout=512)

    assert "rollouts" in Sampler(batch_size=512, micro_batch=1).memory(work("cuda", longest=16)).device


def test_a_reference_and_a_teacher_lie_beside_the_trained_model():
    class Two(TrlMethod):
        def passes(self, work):
            return Passes(64, copies=1)

    parts = Two().memory(work(others={"teacher": SMALL})).device
    assert parts["other models"] == pytest.approx(2 * 4 * SMALL.parameters)


def test_passes_of_few_tokens_hold_few_rows_at_a_time():
    assert Passes(100, tokens=512).at_a_time(16) == 6
    assert Passes(100, rows=2).at_a_time(4) == 8
    assert Passes(1000, tokens=512).at_a_time(4) == 1


def test_the_prompt_of_a_group_is_counted_once_where_the_model_reads_it_once():
    assert Passes(244, group=8, shared=179).read(16) == 16 * 244 - 14 * 179
    assert Passes(244, group=8, shared=179).read(4) == 4 * 244 - 3 * 179
    assert Passes(244).read(16) == 16 * 244

    class Sampler(TrlMethod):
        max_completion_length = 64
        num_generations = 8

    def needs(*, branches, **options):
        model = replace(SMALL, branches=branches)
        return Sampler(batch_size=16, **options).memory(replace(work(longest=180), model=model)).total

    assert needs(branches=True) < 0.6 * needs(branches=False)
    assert needs(branches=True, speed=Exact()) == needs(branches=False, speed=Exact())


def test_the_largest_divisor_that_fits_is_taken_without_checkpointing_where_one_example_fits():
    method, load = TrlMethod(batch_size=12), work("cuda")
    needs = {n: method.memory(load, n, checkpointing=False).total for n in divisors(12)}
    assert fit(method, load, 1e15).micro == 12
    found = fit(method, load, needs[4] / 0.85 + 1)
    assert (found.micro, found.checkpointing) == (4, False)
    tight = fit(method, load, needs[1] / 0.85 - 1)
    assert tight.checkpointing
    assert tight.micro >= 1
    assert fit(method, load, 1.0).micro == 1


def test_a_batch_of_several_ranks_is_divided_by_their_shares():
    assert fit(TrlMethod(batch_size=12), work(), 1e15, ranks=4).micro == 3


def test_an_optimizer_that_pages_its_moments_is_no_certain_need():
    certain = TrlMethod().memory(work("cuda")).least
    paged = TrlMethod(args={"optim": "paged_adamw_32bit"}).memory(work("cuda")).least
    assert certain - paged == pytest.approx(8 * SMALL.parameters)


def test_on_a_gpu_the_machine_holds_libraries_and_the_file():
    memory = TrlMethod().memory(work("cuda"))
    assert memory.host["weights"] == SMALL.stored
    assert TrlMethod().memory(work("cpu")).host_total == 0
    assert TrlMethod().memory(work("cpu")).device["libraries"] == LIBRARIES


def test_a_forecast_imports_no_ml_library():
    script = (
        "import sys; from ptx.lm.training.method import TrlMethod; import ptx.plan.forecast;"
        " print({'torch', 'transformers', 'trl', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
