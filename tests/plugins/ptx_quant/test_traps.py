"""The traps of compression with today's libraries: what the plain call does, and that ptx does not.

| the plain call | ptx |
| --- | --- |
| ignore=["lm_head"] prunes the output layer | it is left alone |
| a pattern that matches nothing is accepted | refused before a weight is loaded |
| MagnitudePruningModifier prunes nothing | the step fails |
| AWQ stops on a CPU (pin_memory) | runs |
| AWQ takes no scheme and does not round by itself | rounds, and refuses to do without |
| QuIP + W4A16 reads back as another model | the step fails |
| W4AFP8 is stored in 8 bits | in 4 |
| NVFP4 on a float32 base cannot be used after reloading | refused, with the remedy |
| GPTQ refills the mask of a pruned model | keeps it |
| the zeros of an int4 grid look like sparsity | only what was pruned counts |
| the calibration sample depends on the global generator | on the seed |
| the collator cuts a batch to its shortest row | nothing is cut |
| the session remembers the compression before | begins anew |
| SpinQuant shifts embeddings and with them an RMS-normed model | it does not |
| a group size that does not divide a layer stops the step | gives way, and is told |
| the library's own OWL profile stops | ptx measures the outliers itself |
| zeros save no byte on disk | the record says so |
| a model that was put together in memory (an adapter merged) stops the step | it is compressed |
| a compressed checkpoint computes dense on a CPU | runtime=hf says that it only emulates |
"""

import random
from dataclasses import dataclass

import pytest
import torch

import ptx_hf
import ptx_prune
from ptx import Choice, Compressor, ModelRef, RunConfig, StepError, hookimpl, setting
from ptx.files import file_digest
from ptx.lm.compression.calibration import bucketed
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from ptx_prune import SparseGPT, Wanda
from ptx_quant import AWQ, GPTQ, RTN, ptx_validate

pytestmark = pytest.mark.slow
FAST = {"samples": 6, "max_length": 64}


def test_an_ignored_output_layer_is_ignored(plain_call, squeeze):
    from llmcompressor.modifiers.pruning import SparseGPTModifier

    network, _ = plain_call(SparseGPTModifier(sparsity=0.5, targets=["Linear"], ignore=["lm_head"]))
    assert float((network.get_output_embeddings().weight == 0).float().mean()) > 0.4
    _, ref = squeeze(SparseGPT(**FAST), plugins=(ptx_prune,))
    assert float((load_model(ref).get_output_embeddings().weight == 0).float().mean()) < 0.01


def test_a_pattern_that_matches_nothing_is_refused(plain_call, plain_model):
    from llmcompressor.modifiers.quantization import QuantizationModifier

    network, _ = plain_call(
        QuantizationModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*dwon_proj"]), data=False
    )
    assert hasattr(network.model.layers[0].mlp.down_proj, "weight_scale")
    (problem,) = ptx_validate(RunConfig(compress={"rtn": RTN(skip=["dwon_proj"])}), plain_model, None)
    assert "did you mean 'down_proj'?" in str(problem)


@dataclass
class Library(Compressor):
    """A stranger's plugin that calls llm-compressor as it is."""

    needs = ()
    what: str = setting("magnitude", "which modifiers")


class LibraryPlugin:
    __name__ = "library"

    def __init__(self, call):
        self.call = call

    @hookimpl
    def ptx_choices(self):
        return [Choice("compress", "library", Library, "plain calls")]

    @hookimpl
    def ptx_compress(self, compressor, run):
        if not isinstance(compressor, Library):
            return None
        return ModelRef.of(self.call(run.folder / "model"))


def test_a_pruner_that_prunes_nothing_fails_the_step(plain_call, squeeze, sparsity):
    from llmcompressor.modifiers.pruning import MagnitudePruningModifier

    def call(folder):
        modifier = MagnitudePruningModifier(
            init_sparsity=0.0, final_sparsity=0.5, start=0, end=1, targets="__ALL_PRUNABLE__"
        )
        network, made = plain_call(modifier, save=str(folder))
        assert sparsity(network) < 0.01
        return made

    with pytest.raises(StepError, match="nothing was changed: all"):
        squeeze(Library(), plugins=(LibraryPlugin(call),))


def test_awq_always_rounds(plain_call):
    from llmcompressor.modifiers.transform import AWQModifier

    with pytest.raises(ValueError, match="AWQ must be run with a subsequent quantization modifier"):
        plain_call(AWQModifier(n_grid=3))
    with pytest.raises(ValueError, match="then=none is useless"):
        AWQ(then="none")


def test_a_rotation_that_is_lost_on_disk_fails_the_step(plain_call, squeeze):
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform import QuIPModifier

    def call(folder):
        rounding = QuantizationModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"])
        return plain_call(
            QuIPModifier(targets=["Linear"], ignore=["re:.*lm_head"]), rounding, save=str(folder), data=False
        )[1]

    with pytest.raises(
        StepError, match="the saved model is not the one that was in memory: their predictions differ by"
    ):
        squeeze(Library(), plugins=(LibraryPlugin(call),))


def stored_bits(folder, layer="model.layers.0.mlp.up_proj"):
    from ptx_checks.folders import Folder

    return Folder(folder).bits(layer)[0] / (64 * 32)


def test_four_bits_with_fp8_activations_are_stored_in_four(plain_call, squeeze):
    from llmcompressor.modifiers.quantization import QuantizationModifier

    activations = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}
    weights = {"num_bits": 4, "strategy": "group", "group_size": 32}  # the preset but for its group size
    groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": activations}}
    _, folder = plain_call(
        QuantizationModifier(config_groups=groups, ignore=["re:.*lm_head"]), save="w4afp8", data=False
    )
    assert stored_bits(folder) == 8
    _, ref = squeeze(RTN(scheme="w4afp8"))
    assert stored_bits(ref.path) == 4


@pytest.mark.parametrize("name", ["nvfp4a16", "mxfp4a16"])
def test_fp4_on_a_float32_base_is_refused(plain_call, plain_model, squeeze, name):
    from llmcompressor.modifiers.quantization import QuantizationModifier

    scheme = {"scheme": name.upper(), "ignore": ["re:.*lm_head"]}
    _, folder = plain_call(QuantizationModifier(targets=["Linear"], **scheme), save=name, data=False)
    with pytest.raises(RuntimeError):
        load_model(folder)(input_ids=torch.tensor([[1, 2, 3]]))
    (problem,) = ptx_validate(RunConfig(compress={"rtn": RTN(scheme=name)}), plain_model, None)
    assert "add compress.rtn.dtype=bfloat16" in str(problem)
    squeeze(RTN(scheme=name, dtype="bfloat16"))


@pytest.mark.parametrize(
    "config",
    [
        RTN(bits=3),
        RTN(symmetric=False),
        AWQ(args={"n_grid": 3}, **FAST),
        GPTQ(bits=3, symmetric=False, **FAST),
    ],
    ids=repr,
)
def test_all_that_round_keep_a_mask(squeeze, pruned, config):
    run, _ = squeeze(config, pruned)
    assert run.console.progressed[-1]["mask_kept"] == 1


def test_zeros_of_a_coarse_grid_are_no_sparsity(squeeze):
    run, _ = squeeze(RTN())
    assert run.console.progressed[-1]["zeros"] > 0.05
    assert run.console.progressed[-1]["zeros_before"] == 0
    assert "mask_kept" not in run.console.progressed[-1]


def test_the_sample_follows_the_seed_alone(plain_call, squeeze, tmp_path):
    from llmcompressor.modifiers.gptq import GPTQModifier

    def scheme():
        return GPTQModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"])

    plain, ours = [], []
    for number in range(2):
        torch.manual_seed(number)  # as whatever ran before may have left it
        random.seed(number)
        plain.append(file_digest(plain_call(scheme(), save=f"plain{number}")[1] / "model.safetensors"))
        torch.manual_seed(number)
        ours.append(file_digest(squeeze(GPTQ(**FAST), name=f"ours{number}")[1].path / "model.safetensors"))
    assert plain[0] != plain[1]
    assert ours[0] == ours[1]


def test_no_row_is_cut_to_its_neighbour(plain_model):
    from llmcompressor.args import DatasetArguments
    from llmcompressor.datasets.utils import _make_collate_fn

    rows = [[1, 2, 3, 4, 5, 6], [7, 8]]
    collate = _make_collate_fn(DatasetArguments(batch_size=2), load_tokenizer(plain_model))
    naive = collate([{"input_ids": row, "attention_mask": [1] * len(row)} for row in rows])
    assert naive["input_ids"].shape == (2, 2)
    assert [batch["input_ids"].tolist() for batch in bucketed(rows, 2)] == [[rows[0]], [rows[1]]]


def test_every_compression_begins_with_an_empty_session(plain_call, make_run):
    from llmcompressor.core import active_session
    from llmcompressor.modifiers.quantization import QuantizationModifier

    from ptx.lm.compression.oneshot import session

    plain_call(QuantizationModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"]), data=False)
    assert active_session().lifecycle.recipe.modifiers
    with session(make_run()):
        assert not active_session().lifecycle.recipe.modifiers


def test_a_group_size_gives_way(plain_call, squeeze, plain_model, tmp_path):
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    settings = {
        "hidden_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 80,
        "vocab_size": 262,
    }
    LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(tmp_path / "odd")
    load_tokenizer(plain_model).save_pretrained(tmp_path / "odd")
    groups = {
        "group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "strategy": "group", "group_size": 32}}
    }
    with pytest.raises(ValueError, match="not divisible"):
        plain_call(
            QuantizationModifier(config_groups=groups, ignore=["re:.*lm_head"]),
            model=tmp_path / "odd",
            data=False,
        )
    run, _ = squeeze(RTN(group_size=32), tmp_path / "odd")
    assert any("groups of 16" in line for line in run.console.lines)


def test_sparsity_by_outliers_runs(plain_call, squeeze):
    from llmcompressor.modifiers.pruning import WandaPruningModifier

    owl = {"sparsity_profile": "owl", "owl_m": 5, "owl_lmbda": 0.08}
    with pytest.raises(ValueError, match="Cannot invoke event before initializing"):
        plain_call(WandaPruningModifier(sparsity=0.5, targets=["Linear"], ignore=["re:.*lm_head"], **owl))
    run, _ = squeeze(Wanda(allocation="owl", **FAST), plugins=(ptx_prune,))
    assert run.console.progressed[-1]["zeros"] == pytest.approx(0.5, abs=1 / 32)  # whole columns of 32


def test_zeros_are_not_said_to_save_bytes(plain_call, plain_model, squeeze):
    from llmcompressor.modifiers.pruning import SparseGPTModifier

    _, folder = plain_call(
        SparseGPTModifier(sparsity=0.5, mask_structure="2:4", targets=["Linear"], ignore=["re:.*lm_head"]),
        save="sparse",
    )
    before = (plain_model / "model.safetensors").stat().st_size
    assert (folder / "model.safetensors").stat().st_size >= before
    run, ref = squeeze(SparseGPT(pattern="2:4", **FAST), plugins=(ptx_prune,))
    figures = run.console.progressed[-1]
    assert figures["bytes"] == ref.bytes == sum(file.stat().st_size for file in ref.path.iterdir())
    assert figures["bytes"] > 0.99 * figures["bytes_before"]


def test_an_adapter_that_is_merged_in_memory_is_compressed(plain_call, plain_model, squeeze, tmp_path):
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from peft import LoraConfig, get_peft_model

    network = load_model(plain_model)
    made = type(network)(network.config)
    made.config._name_or_path = ""
    with pytest.raises(OSError, match="Repo id"):
        oneshot(
            model=made,
            recipe=[QuantizationModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"])],
        )
    adapted = get_peft_model(network, LoraConfig(target_modules=["up_proj"], init_lora_weights=False))
    save_adapter(adapted, load_tokenizer(plain_model), tmp_path / "adapter", ModelRef.of(plain_model))
    run, _ = squeeze(RTN(bits=8), tmp_path / "adapter")
    assert run.console.progressed[-1]["reload_kl"] < 1e-4
    assert any("merging the adapter" in line for line in run.console.lines)


def test_a_compressed_checkpoint_on_a_cpu_is_called_emulated(squeeze, make_run):
    _, ref = squeeze(RTN(scheme="w8a8"))
    network = load_model(ref)
    network(input_ids=torch.tensor([[1, 2, 3]]))
    assert network.model.layers[0].mlp.up_proj.weight.dtype == torch.float32, (
        "the plain call unpacks, computes dense and says nothing"
    )
    run = make_run(RunConfig(), (ptx_hf,), "evaluation")
    lm = run.host.first("ptx_load", runtime=ptx_hf.HF(), model=ref, device="cpu")
    assert lm.emulated
