import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import ptx_prune
import ptx_quant
import ptx_tiny
from ptx import ModelRef, RunConfig
from ptx.data import open_data
from ptx.hooks.host import load_host
from ptx.hooks.run import Run
from ptx.lm.compression import oneshot, resume
from ptx_prune.compress import prune
from ptx_quant.compress import quantise
from tests.plugins.conftest import Screen

TINY = Path(ptx_tiny.__file__).parent / "model"
ROOT = Path(__file__).parents[4]
FAST = {"samples": 4, "max_length": 32}


@pytest.fixture
def step(tmp_path):
    """``step(name)``: a run with its own checkpoint folder; runs of one name share the folder."""

    def make(name):
        folder, checkpoints = tmp_path / name / "payload", tmp_path / name / "checkpoints"
        for part in (folder, checkpoints):
            part.mkdir(parents=True, exist_ok=True)
        return Run(
            RunConfig(),
            load_host(tmp_path, {"PTX_DISABLE": ""}),
            Screen(),
            folder,
            folder / "events.jsonl",
            checkpoints,
            0,
            "cpu",
        )

    return make


@pytest.fixture
def data(tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"text": "Text number {number} of a few."}}\n' for number in range(8))
    )
    return open_data("rows", tmp_path / "rows.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sparsegpt", "gptq"])
def test_a_killed_compression_resumes_after_the_last_finished_layer_with_the_same_result(name, warm):
    """In a new process, like a resumed step: llm-compressor keeps state of earlier tests in the process."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "python_functions=resumed_*",
    ]
    done = subprocess.run(
        [*command, f"{__file__}::resumed_equals_whole[{name}]"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("work", "settings"),
    [(prune, ptx_prune.SparseGPT(**FAST)), (quantise, ptx_quant.GPTQ(group_size=32, **FAST))],
    ids=["sparsegpt", "gptq"],
)
def resumed_equals_whole(step, data, monkeypatch, work, settings):
    compress = lambda run: work(run, settings, ModelRef.of(TINY), data)
    whole = compress(step("whole"))
    seeds = []

    def killed(seed):
        seeds.append(seed)
        if len(seeds) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(resume, "set_seed", killed)
        with pytest.raises(KeyboardInterrupt):
            compress(step("killed"))
    again = step("killed")
    kept = sorted(path.name for path in again.checkpoints.glob("*.safetensors"))
    assert kept == ["layer-0000.safetensors", "layer-0001.safetensors"]
    damaged = again.checkpoints / kept[0]
    flipped = bytearray(damaged.read_bytes())
    flipped[-1] ^= 1
    damaged.write_bytes(flipped)
    solved = []
    monkeypatch.setattr(resume, "set_seed", solved.append)
    resumed = compress(again)
    assert solved == [0, 2, 3]  # three layers and the head
    assert any("resuming after the 1 stages" in line for line in again.console.lines)
    assert any("layer-0000.safetensors has other content than was written" in x for x in again.console.lines)
    ours, theirs = load_file(resumed.path / "model.safetensors"), load_file(whole.path / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_digest_depends_on_every_byte_and_copies_nothing_it_need_not():
    tensor = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    assert resume.digest(tensor) == resume.digest(tensor.clone()) != resume.digest(tensor + 1)
    assert resume.digest(tensor.t()) == resume.digest(tensor.t().contiguous())
    assert resume.digest(torch.tensor(1.0)) != resume.digest(torch.tensor(2.0))


def test_the_model_is_freed_after_the_compression(step, data, monkeypatch):
    models = []
    load = oneshot.load_merged
    monkeypatch.setattr(
        oneshot, "load_merged", lambda *words: models.append(weakref.ref(made := load(*words))) or made
    )
    prune(step("once"), ptx_prune.Wanda(**FAST), ModelRef.of(TINY), data)
    gc.collect()
    assert [model() for model in models] == [None]
