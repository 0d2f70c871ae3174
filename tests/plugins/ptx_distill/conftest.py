"""A teacher that is deeper and wider than the student, with the same tokens, and runs that hold both."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

import ptx_distill
from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.store.store import Store

MESSAGES = [
    {
        "messages": [
            {"role": "user", "content": f"what is {n} plus {n}? "},
            {"role": "assistant", "content": f"it is {2 * n}" + "!" * (n % 4)},
        ]
    }
    for n in range(16)
]
QUICK = {"learning_rate": 3e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture(scope="session")
def wide_teacher(chat_model, tmp_path_factory):
    """Four layers of width 48 where the student (``chat_model``) has two of 32."""
    import torch
    from transformers import AutoModelForCausalLM

    config = load_model(chat_model).config
    config.update({"num_hidden_layers": 4, "hidden_size": 48, "intermediate_size": 96, "head_dim": 24})
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("models") / "teacher"
    save_model(AutoModelForCausalLM.from_config(config), load_tokenizer(chat_model), folder)
    return folder


@pytest.fixture
def messages():
    return MESSAGES


@pytest.fixture
def shelf(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def teach(make_run, make_data, shelf, chat_model, wide_teacher):
    """``teach(Kind, "a", logits_weight=0)``: a run with a store, and its result.

    ``model``, ``teacher``, ``rows``, ``seed`` and ``stop`` (in place of the run's log) may be given too.
    """

    def start(kind, name="step", model=None, teacher=None, rows=None, seed=0, stop=None, **settings):
        run = make_run(RunConfig(method=kind(**{**QUICK, **settings})), [ptx_distill], name, seed)
        run = run.at(store=shelf, models={"teacher": ModelRef.of(teacher or wide_teacher)})
        if stop is not None:
            object.__setattr__(run, "log", stop)
        data = make_data(f"rows-{name}", rows or MESSAGES)
        return run, run.host.first(
            "ptx_train", run=run, method=run.config.method, model=ModelRef.of(model or chat_model), data=data
        )

    return start


@pytest.fixture(scope="module")
def foreign(chat_model, tmp_path_factory):
    """A teacher whose tokenizer joins letters."""
    folder = tmp_path_factory.mktemp("models") / "foreign"
    shutil.copytree(chat_model, folder)
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokens = [("i", "t"), ("i", "s"), ("w", "h"), ("wh", "at"), ("a", "t")]
    vocabulary = tokenizer["model"]["vocab"]
    for one, other in tokens:
        vocabulary.setdefault(one + other, len(vocabulary))
    tokenizer["model"]["merges"] = [list(pair) for pair in tokens if pair[1] in vocabulary]
    file.write_text(json.dumps(tokenizer))
    network = load_model(chat_model)
    network.resize_token_embeddings(len(vocabulary))
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def desk(tmp_path, monkeypatch, chat_model, wide_teacher, messages):
    """A working folder with rows.jsonl and the models student, teacher and fused (without q_proj)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in messages))
    for name, model in {"student": chat_model, "teacher": wide_teacher}.items():
        shutil.copytree(model, tmp_path / name)
    fused = shutil.copytree(wide_teacher, tmp_path / "fused") / "model.safetensors"
    save_file(
        {name.replace(".q_proj", ".qkv_proj"): weight for name, weight in load_file(fused).items()},
        fused,
        {"format": "pt"},
    )
    return tmp_path
