"""One cell of the sweep as people write it without ptx: TRL, then llm-compressor, then lm-eval.

    python cell.py '{"method": "dpo", "compression": "gptq", "seed": 0, "model": ..., "data": ...,
        "out": ..., "result": ...}'

It does not use ptx: it is given a model folder and a folder of JSONL files, and writes its metrics to a JSON
file.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

os.environ.update(
    {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
)
os.environ.update(
    {
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "LLM_COMPRESSOR_LOG_LEVEL": "CRITICAL",
    }
)

FILES = {"sft": "messages", "dpo": "pairs", "kto": "thumbs", "grpo": "prompts"}


def main(cell: dict) -> None:
    model = train(cell)
    if cell["compression"]:
        model = compress(cell, model)
    metrics = evaluate(cell, model)
    Path(cell["result"]).write_text(json.dumps(metrics))


def rows_of(cell: dict, name: str) -> list[dict]:
    with (Path(cell["data"]) / f"{name}.jsonl").open() as file:
        return [json.loads(line) for line, _ in zip(file, range(cell["rows"]), strict=False)]


def turns(value: str | list, role: str) -> list:
    return [{"role": role, "content": value}] if isinstance(value, str) else value


def columns(cell: dict) -> list[dict]:
    """The rows in TRL's columns."""
    method, made = cell["method"], []
    for row in rows_of(cell, FILES[method]):
        if method == "sft":
            made.append({"messages": row["messages"]})
        elif method == "dpo":
            sides = {side: turns(row[side], "assistant") for side in ("chosen", "rejected")}
            made.append({"prompt": turns(row["prompt"], "user"), **sides})
        elif method == "kto":
            made.append(
                {
                    "prompt": turns(row["prompt"], "user"),
                    "completion": turns(row["completion"], "assistant"),
                    "label": row["label"],
                }
            )
        else:
            made.append({"prompt": turns(row["prompt"], "user"), "answer": row["answer"]})
    if method == "kto":
        random.Random(cell["seed"]).shuffle(made)
    return made


def brief(completions: list, **_: object) -> list[float]:
    """GRPO's reward: nothing up to three words, then falling to -1."""
    return [
        -min(max((len(completion[0]["content"].split()) - 3) / 3, 0.0), 1.0) for completion in completions
    ]


def train(cell: dict) -> Path:
    import trl
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    method, folder = cell["method"], Path(cell["out"]) / "trained"
    name = method.upper()
    config = json.loads((Path(cell["model"]) / "config.json").read_text())
    own = {
        "sft": {
            "max_length": config["max_position_embeddings"],
            "assistant_only_loss": True,
            "packing": False,
        },
        "dpo": {"max_length": config["max_position_embeddings"], "beta": 0.1},
        "kto": {"max_length": config["max_position_embeddings"], "beta": 0.1},
        "grpo": {"max_completion_length": 24, "num_generations": 8, "temperature": 1.0, "beta": 0.0},
    }[method]
    args = getattr(trl, f"{name}Config")(
        output_dir=str(Path(cell["out"]) / "checkpoints"),
        seed=cell["seed"],
        data_seed=cell["seed"],
        use_cpu=True,
        bf16=False,
        learning_rate=cell["learning_rate"],
        max_steps=cell["steps"],
        per_device_train_batch_size=cell["batch_size"],
        warmup_steps=0.03,
        lr_scheduler_type="linear",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_steps=10,
        gradient_checkpointing=False,
        **own,
    )
    tokenizer = AutoTokenizer.from_pretrained(cell["model"])
    trainer = getattr(trl, f"{name}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(cell["model"], dtype="float32"),
        args=args,
        train_dataset=Dataset.from_list(columns(cell)),
        processing_class=tokenizer,
        **({"reward_funcs": [brief]} if method == "grpo" else {}),
    )
    trainer.train()
    trainer.model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(cell["model"]).save_pretrained(folder)
    return folder


def compress(cell: dict, model: Path) -> Path:
    import torch
    from llmcompressor import oneshot
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.pruning import SparseGPTModifier
    from torch.utils.data import DataLoader
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    folder = Path(cell["out"]) / "compressed"
    network = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = [row["text"] for row in rows_of(cell, "calibration")]
    drawn = random.Random(cell["seed"]).sample(range(len(texts)), len(texts))[:128]
    ids = [
        torch.tensor([tokenizer(texts[index], add_special_tokens=False)["input_ids"][:1024]])
        for index in drawn
    ]
    batches = [{"input_ids": one, "attention_mask": torch.ones_like(one)} for one in ids]
    ignore = ["re:.*lm_head"]  # the plain name would not be matched
    if cell["compression"] == "sparsegpt":
        modifier = SparseGPTModifier(
            sparsity=0.5,
            mask_structure="0:0",
            block_size=128,
            dampening_frac=0.01,
            targets=["Linear"],
            ignore=ignore,
        )
    else:
        modifier = GPTQModifier(
            targets=["Linear"], scheme="W4A16", ignore=ignore, dampening_frac=0.01, actorder="static"
        )
    set_seed(cell["seed"])
    loader = DataLoader(batches, batch_size=None)
    oneshot(
        model=network,
        tokenizer=tokenizer,
        dataset=loader,
        recipe=[modifier],
        num_calibration_samples=len(batches),
    )
    network.save_pretrained(folder, save_compressed=True)
    tokenizer.save_pretrained(folder)
    return folder


def evaluate(cell: dict, folder: Path) -> dict[str, float]:
    """lm-eval's tasks, and the words of greedy answers."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tasks = Path(cell["data"]) / "tasks"
    found = simple_evaluate(
        model=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=64),
        tasks=sorted(path.stem for path in tasks.glob("*.yaml")),
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        limit=cell["limit"],
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
    )
    metrics = {
        f"{task}/{key}": value
        for task, values in found["results"].items()
        for key, value in values.items()
        if isinstance(value, float)
    }
    chats = [[{"role": "user", "content": question}] for question in cell["questions"]]
    tokenizer.padding_side = "left"
    prompts = tokenizer.apply_chat_template(
        chats, tokenize=True, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    made = model.generate(**prompts, max_new_tokens=16, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    answers = tokenizer.batch_decode(made[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
    return metrics | {"brevity/words": sum(len(answer.split()) for answer in answers) / len(answers)}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
