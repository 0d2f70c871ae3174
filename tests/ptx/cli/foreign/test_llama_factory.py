"""LLaMA-Factory's settings as words of ptx; dataset_info.json says what its data are."""

import json

import pytest

from ptx.cli import main

BASE = {"model_name_or_path": "org/name", "stage": "sft", "dataset": "mine", "do_train": True}
ENTRIES = {
    "mine": {
        "file_name": "mine.json",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    },
    "hub": {"hf_hub_url": "org/data", "split": "test", "subset": "en"},
}


@pytest.fixture
def entries(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dataset_info.json").write_text(json.dumps(ENTRIES))
    (tmp_path / "data/mine.json").write_text("[]")


def test_dpo_with_lora(imported, entries):
    said = imported(
        BASE
        | {
            "stage": "dpo",
            "finetuning_type": "lora",
            "lora_rank": 16,
            "lora_target": "q_proj,v_proj",
            "pref_beta": 0.2,
            "pref_loss": "sigmoid",
            "pref_ftx": 0.5,
            "template": "llama3",
            "cutoff_len": 1024,
            "max_samples": 500,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 8,
            "learning_rate": "5.0e-6",
            "num_train_epochs": 2.0,
            "lr_scheduler_type": "cosine",
            "warmup_ratio": 0.1,
            "report_to": ["wandb", "aim"],
        }
    )
    assert said["words"] == {
        "method": "dpo",
        "model": "org/name",
        "data": "./data/mine.json",
        "data.columns.prompt": "instruction",
        "data.columns.context": "input",
        "data.columns.completion": "output",
        "lora": "lora",
        "method.lora.r": "16",
        "method.lora.alpha": "32",
        "method.lora.dropout": "0.0",
        "method.lora.targets": "[q_proj,v_proj]",
        "method.beta": "0.2",
        "method.batch_size": "8",
        "method.micro_batch": "1",
        "method.learning_rate": "5.0e-6",
        "method.epochs": "2.0",
        "method.max_length": "1024",
        "method.scheduler": "cosine",
        "method.warmup": "0.1",
        "data.limit": "500",
        "tracker": "[wandb]",
        "seed": "42",
    }
    assert said["lost"] == {"pref_ftx": "0.5", "report_to": "aim"}
    assert {"template", "do_train"} <= set(said["unneeded"])


def test_what_the_file_leaves_out_has_their_defaults(imported, entries):
    words = imported(BASE)["words"]
    assert {name: words[name] for name in ("method.learning_rate", "method.epochs", "method.max_length")} == {
        "method.learning_rate": "5e-05",
        "method.epochs": "3.0",
        "method.max_length": "2048",
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "hub"}, {"data": "org/data", "data.split": "test", "data.subset": "en"}),
        ({"stage": "rm"}, {"method": "reward"}),
        ({"stage": "dpo", "pref_loss": "orpo"}, {"method": "orpo"}),
        (
            {"stage": "dpo", "pref_loss": "simpo", "pref_beta": 2.0, "simpo_gamma": 1.0},
            {"method": "simpo", "method.gamma_ratio": "0.5"},
        ),
        ({"finetuning_type": "full"}, {"lora": None}),
        ({"quantization_bit": 4}, {"method.lora.quantize": "true"}),
    ],
)
def test_one_setting(imported, entries, settings, words):
    found = imported(BASE | settings)["words"]
    assert {name: found.get(name) for name in words} == words


def test_a_dataset_without_an_entry_is_a_guess_and_that_is_said(imported):
    said = imported(BASE)
    assert said["words"]["data"] == "./data/mine.json"
    assert "this is a guess; give data=./FILE or data=ORG/NAME" in said["changed"]["dataset"]


def test_a_name_of_the_hub_without_an_organisation_is_an_id(imported, tmp_path):
    said = imported(BASE | {"model_name_or_path": "gpt2", "val_size": 0.0})
    assert {"model": "hub", "model.id": "gpt2"}.items() <= said["words"].items()
    assert "val_size" not in said["lost"]


@pytest.mark.parametrize(
    ("setting", "verb"), [("export_dir", "ptx merge"), ("infer_backend", "ptx eval model=... runtime=...")]
)
def test_a_file_that_describes_no_training_is_answered_with_the_verb_that_does_it(
    tmp_path, monkeypatch, capsys, setting, verb
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "their.yaml").write_text(f"model_name_or_path: org/name\ntemplate: qwen\n{setting}: some\n")
    assert main(["import", "their.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ptx: the file describes no training; ")
    assert verb in said
