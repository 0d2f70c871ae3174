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
from ptx.lm.compression import oneshot as compression
from ptx.lm.compression import resume as walk
from tests.plugins.conftest import Screen

TINY = Path(ptx_tiny.__file__).parent / "model"
ROOT = Path(__file__).parents[4]
FAST = {"samples": 4, "max_length": 32}


@pytest.fixture
def step(tmp_path):
    """``step(name)``: a run with a checkpoint folder of its own; asked for twice, the second finds what the
    first left.
    """

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
def test_a_killed_compression_goes_on_after_the_last_finished_layer_with_the_same_result(name):
    """In a process of its own, as a killed step is taken up in one: llm-compressor keeps state in the
    process, which earlier tests leave behind.
    """
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
    ("plugin", "settings"),
    [(ptx_prune, ptx_prune.SparseGPT(**FAST)), (ptx_quant, ptx_quant.GPTQ(group_size=32, **FAST))],
    ids=["sparsegpt", "gptq"],
)
def resumed_equals_whole(step, data, monkeypatch, plugin, settings):
    compress = lambda run: plugin.ptx_compress(run, settings, ModelRef.of(TINY), data)
    whole = compress(step("whole"))
    seeds = []

    def killed(seed):
        seeds.append(seed)
        if len(seeds) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(walk, "set_seed", killed)
        with pytest.raises(KeyboardInterrupt):
            compress(step("killed"))
    again = step("killed")
    kept = sorted(path.name for path in again.checkpoints.iterdir())
    assert kept == ["layer-0000.safetensors", "layer-0001.safetensors"]
    solved = []
    monkeypatch.setattr(walk, "set_seed", solved.append)
    resumed = compress(again)
    assert solved == [2, 3]  # three layers and the head
    assert any("going on after the 2 stages" in line for line in again.console.lines)
    ours, theirs = load_file(resumed.path / "model.safetensors"), load_file(whole.path / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_digest_depends_on_every_byte_and_copies_nothing_it_need_not():
    tensor = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    assert walk.digest(tensor) == walk.digest(tensor.clone()) != walk.digest(tensor + 1)
    assert walk.digest(tensor.t()) == walk.digest(tensor.t().contiguous())
    assert walk.digest(torch.tensor(1.0)) != walk.digest(torch.tensor(2.0))


def test_nothing_keeps_the_model_once_it_is_compressed(step, data, monkeypatch):
    models = []
    honest = compression.load_merged
    monkeypatch.setattr(
        compression, "load_merged", lambda *words: models.append(weakref.ref(made := honest(*words))) or made
    )
    ptx_prune.ptx_compress(step("once"), ptx_prune.Wanda(**FAST), ModelRef.of(TINY), data)
    gc.collect()
    assert [model() for model in models] == [None]
