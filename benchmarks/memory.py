"""Does the forecast of memory hold? Peak memory of training processes beside what the plan says.

    python benchmarks/memory.py                                    every case of this machine's device
    python benchmarks/memory.py --cases sft --shapes tiny,wide     some of them
    python benchmarks/memory.py --model DIR                        with a real model as a further shape

Every case is ``ptx train`` in a process of its own, two optimizer steps on rows of equal length. Both figures
are those of the run's record: on a CPU the largest resident set of the process during the step (VmHWM), on a
GPU the peak of torch's allocator. Prints forecast / measured for each case, and writes them to
``memory.json`` in ``--to``; exit code 1 when one is off by more than 15 %. The random models' losses mean
nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MOST_OFF = 0.15
#: hidden, ffn, layers, heads, key-value heads, vocabulary, tied
SHAPES = {
    "wide": (768, 3072, 6, 12, 12, 4096, True),
    "deep": (384, 1024, 24, 6, 2, 8192, True),
    "words": (512, 1408, 8, 8, 4, 64000, False),
}
#: name -> words of the command
CASES = {
    "sft": ["method=sft"],
    "sft-micro": ["method=sft", "method.micro_batch=2"],
    "sft-lora": ["method=sft", "lora=lora"],
    "sft-checkpointing": ["method=sft", "method.args.gradient_checkpointing=true"],
    "dpo": ["method=dpo", "method.batch_size=4"],
    "dpo-lora": ["method=dpo", "method.batch_size=4", "lora=lora"],
    "dpo-beside": ["method=dpo", "method.batch_size=4", "method.cache_reference=false"],
    "kto": ["method=kto"],
    "grpo": [
        *("method=grpo", "method.batch_size=16", "method.num_generations=8"),
        *("method.rewards=[length]", "scorer.length.words=30", "method.max_completion_length=64"),
    ],
}


def main() -> int:
    """Measure every case of every shape, and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default=",".join(["tiny", *SHAPES]))
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--model", type=Path, help="a real model folder, as a further shape")
    parser.add_argument("--words", type=int, default=120, help="words in a row")
    parser.add_argument("--batch", type=int, default=4, help="method.batch_size of sft and kto")
    parser.add_argument("--to", type=Path, default=Path("memory"))
    options = parser.parse_args()
    models = {name: model_of(name, options.to) for name in options.shapes.split(",") if name}
    models |= {options.model.name: str(options.model)} if options.model else {}
    found = []
    for shape, model in models.items():
        for case in options.cases.split(","):
            if case == "grpo" and shape in ("tiny", *SHAPES):
                continue  # their answers are all of one length, so there would be nothing to learn
            found.append({"shape": shape, "case": case} | measured(options, model, case))
            show(found[-1])
            (options.to / "memory.json").write_text(json.dumps(found, indent=1) + "\n")
    off = [one for one in found if abs(one["forecast"] / one["measured"] - 1) > MOST_OFF]
    print(f"{len(found) - len(off)} of {len(found)} within {MOST_OFF:.0%}")
    return 1 if off else 0


def model_of(name: str, folder: Path) -> str:
    """The value of ``model=`` for a shape; a random model is made once."""
    if name == "tiny":
        return "tiny"
    made = folder / "models" / name
    if not (made / "config.json").exists():
        make(made, *SHAPES[name])
    return str(made)


def make(
    folder: Path, hidden: int, ffn: int, layers: int, heads: int, pairs: int, words: int, tied: bool
) -> None:
    """Write a Llama with random weights and the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    import ptx_tiny

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=words,
        hidden_size=hidden,
        intermediate_size=ffn,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=pairs,
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(Path(ptx_tiny.__file__).parent / "model").save_pretrained(folder)


def data_of(folder: Path, words: int) -> Path:
    """A folder with rows of every shape, all of about the same length."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, Any]]] = {"messages": [], "pairs": [], "thumbs": [], "prompts": []}
    for number in range(48):
        ask = f"{number} and more" + " and more" * 3
        said = " ".join(f"{(number * 7 + place) % 10}" for place in range(words))
        other = " ".join(f"{(number * 7 + place + 3) % 10}" for place in range(words))
        turns = [{"role": "user", "content": ask}, {"role": "assistant", "content": said}]
        rows["messages"].append({"messages": turns})
        rows["pairs"].append({"prompt": ask, "chosen": said, "rejected": other})
        rows["thumbs"].append({"prompt": ask, "completion": said, "label": number % 2 == 0})
        rows["prompts"].append({"prompt": f"{ask} {said[:words]}"})
    for shape, content in rows.items():
        (folder / f"{shape}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    return folder


def measured(options: argparse.Namespace, model: str, case: str) -> dict[str, Any]:
    """The forecast of a case and its peak, in bytes."""
    out = options.to / "out"
    shutil.rmtree(out, ignore_errors=True)
    words = list(CASES[case])
    if not any(word.startswith("method.batch_size") for word in words):
        words.append(f"method.batch_size={options.batch}")
    shape = {"s": "messages", "d": "pairs", "k": "thumbs", "g": "prompts"}[case[0]]
    data = data_of(options.to / f"data-{options.words}", options.words) / f"{shape}.jsonl"
    command = [
        *(sys.executable, "-m", "ptx", "train", *words, f"model={model}", f"data={data}", f"out={out}"),
        *("method.max_steps=2", "eval=[]", "name=case"),
    ]
    started = time.time()
    log = options.to / "log.txt"
    with log.open("w") as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    if status:
        raise SystemExit(f"{' '.join(command)}\n{log.read_text()[-2000:]}")
    return recorded(out) | {"seconds": round(time.time() - started, 1)}


def recorded(out: Path) -> dict[str, float]:
    """The peak of the step and its forecast, from the record of the run."""
    (journal,) = (out / "runs" / "case").glob("*/events.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    memory = next(event for event in events if event["event"] == "memory")
    return {"measured": memory["peak"], "forecast": memory["forecast"]}


def show(one: dict[str, Any]) -> None:
    """Print one line of the table."""
    measured, forecast = one["measured"], one["forecast"]
    sizes = f"{measured / 1e6:,.0f} MB | {forecast / 1e6:,.0f} MB | {forecast / measured:.2f}"
    print(f"| {one['shape']} | {one['case']} | {sizes} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
