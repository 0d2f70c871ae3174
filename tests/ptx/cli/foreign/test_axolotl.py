"""Axolotl's settings as words of ptx; what has none is named."""

import pytest

BASE = {"base_model": "org/name", "datasets": [{"path": "org/data", "type": "alpaca"}], "learning_rate": 2e-4}


def test_qlora_on_a_dataset_of_the_hub(imported):
    """The shape of their example for Llama 3.2."""
    said = imported(
        BASE
        | {
            "load_in_4bit": True,
            "adapter": "qlora",
            "lora_r": 32,
            "lora_alpha": 16,
            "lora_dropout": 0.05,
            "lora_target_modules": ["gate_proj", "down_proj"],
            "sequence_len": 2048,
            "sample_packing": True,
            "gradient_accumulation_steps": 4,
            "micro_batch_size": 2,
            "num_epochs": 3,
            "optimizer": "adamw_8bit",
            "lr_scheduler": "linear",
            "warmup_ratio": 0.1,
            "val_set_size": 0.1,
            "loss_watchdog_threshold": 5.0,
            "special_tokens": {"pad_token": "<pad>"},
            "strict": False,
        }
    )
    assert said["words"] == {
        "method": "sft",
        "model": "org/name",
        "data": "org/data",
        "lora": "lora",
        "method.lora.r": "32",
        "method.lora.alpha": "16",
        "method.lora.dropout": "0.05",
        "method.lora.targets": "[gate_proj,down_proj]",
        "method.lora.quantize": "true",
        "method.batch_size": "8",
        "method.micro_batch": "2",
        "method.max_length": "2048",
        "method.epochs": "3",
        "method.scheduler": "linear",
        "method.warmup": "0.1",
        "method.packing": "true",
        "method.args.optim": "adamw_8bit",
        "method.learning_rate": "0.0002",
        "seed": "42",
    }
    assert set(said["lost"]) == {"val_set_size", "loss_watchdog_threshold"}
    assert "ptx data split data=... test=0.1 out=./split" in said["lost"]["val_set_size"]
    assert {"strict", "special_tokens", "datasets.type"} <= set(said["unneeded"])


def test_what_the_file_leaves_out_has_their_defaults(imported):
    words = imported(BASE)["words"]
    assert (words["method.max_length"], words["method.scheduler"], words["seed"]) == ("512", "cosine", "42")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rl": "dpo", "rl_beta": 0.2}, {"method": "dpo", "method.beta": "0.2"}),
        ({"rl": "ipo"}, {"method": "dpo", "method.loss": "ipo"}),
        (
            {"rl": "kto", "kto_desirable_weight": 0.5, "gradient_accumulation_steps": 4},
            {"method": "kto", "method.desirable_weight": "0.5", "method.micro_batch": "2"},
        ),
        ({"train_on_inputs": True}, {"method.assistant_only": "false"}),
        ({"adapter": "lora", "lora_target_linear": True}, {"lora": "lora"}),
        (
            {"max_steps": 20, "max_grad_norm": 0.5},
            {"method.max_steps": "20", "method.args.max_grad_norm": "0.5"},
        ),
        (
            {
                "datasets": [
                    {"path": "json", "data_files": "./my.jsonl", "field_messages": "turns", "split": "part"}
                ]
            },
            {"data": "./my.jsonl", "data.columns.messages": "turns"},
        ),
    ],
)
def test_one_setting(imported, settings, words):
    found = imported(BASE | settings)["words"]
    assert {name: found.get(name) for name in words} == words


def test_what_has_no_counterpart_is_named(imported):
    lost = imported(
        BASE
        | {
            "datasets": [{"path": "a/one", "shards": 3}, {"path": "b/two"}],
            "adapter": "lora",
            "load_in_8bit": True,
            "lr_scheduler": "rex",
            "deepspeed": "zero3.json",
            "special_tokens": {"eos_token": "<end>"},
            "lora_model_dir": "./before",
            "unfrozen_parameters": ["lm_head"],
        }
    )["lost"]
    assert set(lost) == {
        *("datasets", "datasets.shards", "load_in_8bit", "lr_scheduler", "several GPUs", "special_tokens"),
        *("lora_model_dir", "unfrozen_parameters"),
    }
    assert "launch=accelerate launch.config=zero3" in lost["several GPUs"]


def test_a_dataset_of_the_hub_without_an_organisation_is_an_id_and_its_split_is_kept(imported):
    data = [{"path": "wikitext", "name": "wikitext-103-raw-v1", "split": "train[:5%]", "type": "completion"}]
    said = imported({"base_model": "org/name", "datasets": data, "val_set_size": 0.0})
    wanted = {"data": "hub", "data.id": "wikitext", "data.subset": "wikitext-103-raw-v1"}
    assert (wanted | {"data.split": "train[:5%]"}).items() <= said["words"].items()
    assert "val_set_size" not in said["lost"]
