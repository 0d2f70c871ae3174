import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader
from transformers import Qwen2Config, Qwen2ForCausalLM

import ptx_gguf
from ptx import ModelRef, RunConfig, StepError
from ptx.files import read_rows
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.serving.dense import open_plain
from ptx.lm.serving.fidelity import own_text
from ptx.models.package import read_package
from ptx_gguf import Gguf, ptx_export
from ptx_gguf.export import Export
from ptx_gguf.files import type_of
from ptx_gguf.tensors import interleaved
from tests.plugins.packed import write_packed


def fewer_texts(network, tokenizer, seed, rows=8, **settings):
    """A quarter of the texts: llama.cpp takes one request for each of their tokens."""
    return own_text(network, tokenizer, seed, rows, **settings)


@pytest.fixture
def export(make_run, monkeypatch):
    monkeypatch.setattr("ptx.lm.serving.reference.own_text", fewer_texts)

    def exported(config, model, name="step"):
        run = make_run(RunConfig(runtime=config), [ptx_gguf], name)
        return run, ptx_export(run, config, ModelRef.of(model))

    return exported


def logged(run):
    return [event for event in read_rows(run.events) if event["event"] == "log"][-1]["metrics"]


def read_back(run):
    return next(event["read_back_kl"] for event in read_rows(run.events) if event["event"] == "export")


def test_a_checkpoint_of_integers_becomes_the_file_of_its_unpacked_weights(export, chat_model, tmp_path):
    packed = write_packed(chat_model, tmp_path / "packed", bits=4, group=16)
    run, package = export(Gguf(type="f32"), packed)
    assert read_back(run) < 1e-9
    names = [tensor.name for tensor in GGUFReader(package.path / "model.gguf").tensors]
    plain = open_plain(ModelRef.of(packed))
    assert len(names) == len(list(plain.named_parameters()))
    assert set(plain.state_dict()) == set(load_model(chat_model).state_dict())


def test_an_unrounded_file_read_back_is_the_model_with_its_tokenizer(export, chat_model):
    run, package = export(Gguf(type="f32"), chat_model)
    assert read_back(run) < 1e-9
    assert abs(logged(run)["kl"]) < 1e-3  # on llama.cpp, whose cache has 16 bits
    fields = GGUFReader(package.path / "model.gguf").fields
    tokenizer = load_tokenizer(chat_model)
    assert fields["general.architecture"].contents() == "llama"
    assert fields["tokenizer.ggml.tokens"].contents()[:3] == tokenizer.convert_ids_to_tokens([0, 1, 2])
    assert fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.eos_token_id
    assert fields["tokenizer.chat_template"].contents() == tokenizer.chat_template
    assert set(read_package(package.path)["made_with"]) == {"gguf", "xllamacpp"}
    assert package.kind == "package"
    described = (package.path / "Modelfile").read_text()
    assert "FROM ./model.gguf" in described
    assert f'PARAMETER stop "{tokenizer.eos_token}"' in described
    assert "TEMPLATE" in described


def test_another_architecture_with_biases_and_an_output_layer_of_its_own(export, chat_model, tmp_path):
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    tokenizer = load_tokenizer(chat_model)
    network = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=len(tokenizer), tie_word_embeddings=False, initializer_range=0.2, **sizes)
    )
    save_model(network, tokenizer, tmp_path / "qwen2")
    run, _ = export(Gguf(type="f32"), tmp_path / "qwen2")
    assert read_back(run) < 1e-9
    assert abs(logged(run)["kl"]) < 1e-3  # on llama.cpp, whose cache has 16 bits


def test_eight_bits_are_a_quarter_and_near(export, chat_model):
    run, package = export(Gguf(type="q8_0"), chat_model)
    assert 0 < read_back(run) < 1e-2
    assert logged(run)["kl"] < 1e-2
    tensors = {tensor.name: tensor.tensor_type for tensor in GGUFReader(package.path / "model.gguf").tensors}
    assert tensors["blk.0.ffn_down.weight"] is GGMLQuantizationType.Q8_0
    assert tensors["blk.0.attn_norm.weight"] is GGMLQuantizationType.F32


def test_a_type_that_is_too_far_from_the_model_is_followed_by_larger_ones_where_they_pay(export, chat_model):
    run, package = export(Gguf(type="q4_0", max_perplexity_ratio=1.01), chat_model)
    tries = read_package(package.path)["tries"]
    assert tries[0]["way"] == "q4_0"
    assert tries[0]["kl"] > 0.01 > tries[-1]["kl"]
    assert all(one["bytes"] < other["bytes"] for one, other in itertools.pairwise(tries))
    assert tries[-1]["formats"]
    assert not list(run.folder.glob("built-*"))
    with pytest.raises(StepError, match=r"the q4_0 file, read back, has 1\.\d+ times"):
        export(Gguf(type="q4_0", max_perplexity_ratio=1.01, tries=1), chat_model, "once")


def test_what_llama_cpp_serves_decides_and_the_next_type_is_tried(export, chat_model, monkeypatch):
    """llama.cpp rounds inside its products, so that a file may be near when read back and too far served."""
    served, asked = Export.served, []

    def far_at_first(self, folder):
        asked.append(folder.name)
        found = served(self, folder)
        return (
            replace(found, kl=replace(found.kl, value=0.5, low=0.4, high=0.6)) if len(asked) == 1 else found
        )

    monkeypatch.setattr(Export, "served", far_at_first)
    run, package = export(Gguf(type="q4_0"), chat_model)
    tries = read_package(package.path)["tries"]
    assert [one["kl"] == 0.5 for one in tries] == [True, False]
    assert read_package(package.path)["formats"] == tries[1]["formats"] != tries[0]["formats"]
    assert logged(run)["kl"] == tries[1]["kl"]
    assert len(asked) == 2


def test_mixtures_with_the_same_prediction_lie_in_folders_of_their_own(export, chat_model, monkeypatch):
    def plans(self):
        yield from (dict.fromkeys(self.menu, kind) for kind in ("q5_0", "q8_0"))

    monkeypatch.setattr("ptx_gguf.export.predicted", lambda menu, plan: 0.1)
    monkeypatch.setattr("ptx_gguf.export.Search.plans", plans)
    with pytest.raises(StepError) as found:
        export(Gguf(type="q4_0", max_perplexity_ratio=1.0000001, tries=3), chat_model)
    assert set(re.findall(r"^  (mixed \d)", str(found.value), re.MULTILINE)) == {"mixed 1", "mixed 2"}


def test_a_file_that_is_not_the_model_fails_the_step(export, chat_model, monkeypatch):
    """Without llama.cpp's order of query and key rows the file is read without an error, but differs."""
    monkeypatch.setattr("ptx_gguf.tensors.interleaved", lambda weight, heads: weight)
    with pytest.raises(StepError, match=r"the f32 file on llama.cpp has [\d.]+ times the model's perplexity"):
        export(Gguf(type="f32"), chat_model)


def test_rows_are_interleaved_as_the_reader_takes_them_apart():
    weight = np.arange(8 * 3, dtype=np.float32).reshape(8, 3)
    order = [int(row[0]) // 3 for row in interleaved(weight, 2)]
    assert order == [0, 2, 1, 3, 4, 6, 5, 7]  # two heads of four rows: first half 0 1, second half 2 3


def test_a_matrix_whose_rows_are_no_whole_blocks_stays_f16():
    assert type_of("blk.0.ffn_up.weight", (8, 48), "q4_0") is GGMLQuantizationType.F16
    assert type_of("blk.0.ffn_up.weight", (8, 64), "q4_0") is GGMLQuantizationType.Q4_0
    assert type_of("output_norm.weight", (64,), "q4_0") is GGMLQuantizationType.F32


def test_an_adapter_is_merged_first(export, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    from ptx.lm.load import load_model, save_adapter

    network = get_peft_model(
        load_model(chat_model), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    )
    save_adapter(network, load_tokenizer(chat_model), tmp_path / "adapter", ModelRef.of(chat_model))
    run, _ = export(Gguf(type="f32"), tmp_path / "adapter")
    assert read_back(run) < 1e-9
    assert abs(logged(run)["kl"]) < 1e-3  # on llama.cpp, whose cache has 16 bits
    ids = torch.tensor([[1, 50, 60]])
    with torch.no_grad():
        assert torch.allclose(
            open_plain(ModelRef.of(tmp_path / "adapter"))(ids).logits, network.eval()(ids).logits, atol=1e-4
        )
