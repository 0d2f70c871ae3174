"""What the tests of plugins share: a real run on a real host with some plugins, and two tiny models."""

import os

os.environ.update(
    {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "WANDB_MODE": "offline"}
)

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ptx import ModelRef, Run, RunConfig
from ptx.data import open_data
from ptx.files import read_rows

TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}{%- if message['role'] == 'assistant' %}{{-"
    " '<|assistant|>' }}{% generation %}{{- message['content'] + '<|end|>' }}{% endgeneration %}{%- else"
    " %}{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{%- endif %}{%- endfor %}{%- if"
    " add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"
)
SPECIAL = ["<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]


@dataclass
class Screen:
    """A terminal that keeps all lines and progress."""

    lines: list[str] = field(default_factory=list)
    progressed: list[dict] = field(default_factory=list)

    def progress(self, label, metrics, step, total):
        self.progressed.append({"step": step, "total": total, **metrics})

    def say(self, text):
        self.lines.append(text)


@pytest.fixture
def make_run(tmp_path, host_with):
    """``make_run(config, [module, ...])``: a run on the CPU below tmp_path, with these plugins alone."""

    def make(config: RunConfig | None = None, plugins=(), name: str = "step", seed: int = 0) -> Run:
        host = host_with(**{module.__name__: module for module in plugins})
        assert not host.broken
        folder = tmp_path / name
        checkpoints = tmp_path / f"{name}-checkpoints"
        for part in (folder, checkpoints):
            part.mkdir(exist_ok=True)
        return Run(
            config or RunConfig(),
            host,
            Screen(),
            folder,
            folder / "events.jsonl",
            checkpoints,
            seed,
            "cpu",
            "step",
        )

    return make


@pytest.fixture
def train():
    """``train(run, model, data)``: ask the plugins for ``run.config.method``."""

    def ask(run: Run, model: Path, data) -> ModelRef:
        return run.host.first(
            "ptx_train", run=run, method=run.config.method, model=ModelRef.of(model), data=data
        )

    return ask


@pytest.fixture
def losses_of():
    """``losses_of(run)``: the loss of every step, from its events."""

    def read(run: Run) -> list[float]:
        logged = [event["metrics"] for event in read_rows(run.events) if event["event"] == "log"]
        return [metrics["loss"] for metrics in logged if "loss" in metrics]

    return read


@pytest.fixture
def trl_losses(tmp_path):
    """``trl_losses("SFT", model, rows, ...)``: the loss of every step of plain TRL, without ptx."""

    def measure(
        name: str, model: Path, rows: list[dict], peft_config=None, reward_funcs=None, **settings
    ) -> list[float]:
        import trl
        from datasets import Dataset
        from transformers import AutoModelForCausalLM, AutoTokenizer

        fixed = {"use_cpu": True, "bf16": False, "report_to": [], "logging_steps": 1, "save_strategy": "no"}
        trainer = getattr(trl, f"{name}Trainer")(
            model=AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
            args=getattr(trl, f"{name}Config")(output_dir=str(tmp_path / "trl"), **fixed, **settings),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(model),
            peft_config=peft_config,
            **({"reward_funcs": reward_funcs} if reward_funcs else {}),
        )
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    return measure


@pytest.fixture
def make_data(tmp_path):
    """``make_data("pairs", rows)``: a JSONL file of these rows, opened as a data choice."""

    def make(name: str, rows: list[dict]):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return open_data(name, path)

    return make


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory) -> Path:
    """A two-layer Llama with random weights, a byte tokenizer and a chat template."""
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory) -> Path:
    """The same without a chat template."""
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "plain", None)


def save_tiny_llama(folder: Path, template: str | None, **config) -> Path:
    """Write a tiny Llama: 256 byte tokens and six special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = Tokenizer(models.BPE({token: index for index, token in enumerate([*SPECIAL, *alphabet])}, []))
    tokens.add_special_tokens(SPECIAL)
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token=SPECIAL[0], bos_token=SPECIAL[1], eos_token=SPECIAL[2]
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    random_llama(len(tokenizer), **config).save_pretrained(folder)
    return folder


def random_llama(vocabulary: int, **config):
    """A Llama small enough for a step in milliseconds; always the same random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **{**settings, **config}))
