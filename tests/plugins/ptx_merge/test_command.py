"""``ptx merge`` on adapters of ptx and of peft."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptx import ModelRef
from ptx.cli import main
from ptx.lm.load import load_model, load_tokenizer, save_adapter

IDS = torch.tensor([[1, 5, 9, 7, 3]])


@pytest.fixture
def adapter(plain_model, tmp_path, monkeypatch):
    """``adapter()``: an adapter of a bfloat16 base with float32 norms, as peft writes it."""
    from peft import LoraConfig, get_peft_model

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))
    base = tmp_path / "base"
    shutil.copytree(plain_model, base)
    tensors = load_file(base / "model.safetensors")
    mixed = {key: one if "norm" in key else one.to(torch.bfloat16) for key, one in tensors.items()}
    save_file(mixed, base / "model.safetensors", metadata={"format": "pt"})
    torch.manual_seed(1)
    network = get_peft_model(
        load_model(base),
        LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
    )
    return network.eval(), base


def test_an_adapter_of_peft_becomes_a_whole_model_with_the_dtypes_of_its_base(adapter, tmp_path, capsys):
    network, base = adapter
    network.save_pretrained(tmp_path / "adapter")
    assert main(["merge", "./adapter", "out=./whole"]) == 0
    assert "wrote whole" in capsys.readouterr().out
    with torch.no_grad():
        whole = load_model(tmp_path / "whole")
        assert torch.allclose(whole(IDS).logits, network(IDS).logits, atol=0.1)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "whole", base))
    assert {key: one.dtype for key, one in ours.items()} == {key: one.dtype for key, one in theirs.items()}
    assert main(["check", "model=./whole"]) == 0


def test_an_adapter_of_ptx_is_merged_too(adapter, tmp_path):
    network, base = adapter
    save_adapter(network, load_tokenizer(base), tmp_path / "adapter", ModelRef.of(base))
    assert main(["merge", "model=adapter", "out=./whole"]) == 0
    assert not (tmp_path / "whole" / "adapter_config.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["./base", "out=./whole"], "./base is a whole model, not an adapter; there is nothing to merge"),
        (["./adapter", "./whole"], "no folder to write to: './whole'; type out=./whole"),
        (["./adapter", "out=./base"], "base exists already; name another folder with out="),
        (["./nothing", "out=./whole"], "there is no model folder nothing"),
    ],
)
def test_what_cannot_be_merged_is_explained(adapter, tmp_path, capsys, words, said):
    adapter[0].save_pretrained(tmp_path / "adapter")
    assert main(["merge", *words]) == 2
    assert said in capsys.readouterr().err


def test_an_adapter_whose_tensors_are_lost_or_not_finite_is_refused(adapter, tmp_path, capsys):
    adapter[0].save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    first = min(tensors)
    save_file(tensors | {first: tensors[first] * float("nan")}, file)
    assert main(["merge", "./adapter", "out=./whole"]) == 1
    assert f"not finite (nan or inf): {first}" in capsys.readouterr().err
    save_file({key: one for key, one in tensors.items() if key != first}, file)
    assert main(["merge", "./adapter", "out=./whole"]) == 1
    assert f"1 tensor is missing on disk: {first}" in capsys.readouterr().err
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"r": 3}))
    assert main(["merge", "./adapter", "out=./whole"]) == 1
    assert "does not fit its base" in capsys.readouterr().err
    assert not (tmp_path / "whole").exists()
