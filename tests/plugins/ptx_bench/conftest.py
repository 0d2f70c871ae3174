"""A benchmark of three kinds of task over six sentences, written where the test asks for it."""

import json

import pytest

from ptx import ModelRef, RunConfig
from ptx_bench import Bench, ptx_validate
from ptx_hf import HF, ptx_load

DOCS = [
    {
        "question": f"Say {word}.",
        "answer": word,
        "choices": [word, "zebra"],
        "skill": "short" if len(word) < 4 else "long",
        "language": "en",
    }
    for word in ("cat", "dog", "sun", "house", "river", "stone")
]


def definition(name, folder, **settings):
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "docs.jsonl")}},
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "num_fewshot": 0,
        "metadata": {"version": 1},
        **settings,
    }


CHOICES = {
    "output_type": "multiple_choice",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": 0,
    "metric_list": [
        {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
    ],
}
GENERATED = {
    "output_type": "generate_until",
    "generation_kwargs": {"until": ["."], "max_gen_toks": 8, "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
ROLLING = {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{question}}",
    "metric_list": [
        {"metric": "word_perplexity", "aggregation": "weighted_perplexity", "higher_is_better": False},
        {"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False},
    ],
}


@pytest.fixture
def write_tasks(tmp_path):
    """``write_tasks(name={...}, ...)``: a folder with one YAML file per task."""

    def write(**tasks):
        folder = tmp_path / "tasks"
        folder.mkdir(exist_ok=True)
        (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in DOCS))
        for name, settings in tasks.items():
            (folder / f"{name}.yaml").write_text(json.dumps(definition(name, folder, **settings)))
        return folder

    return write


@pytest.fixture
def kinds():
    return {"choices": CHOICES, "generated": GENERATED, "rolling": ROLLING}


@pytest.fixture(scope="module")
def lm(chat_model):
    return ptx_load(HF(), ModelRef.of(chat_model), "cpu")


@pytest.fixture
def values():
    """``values(evaluation)``: its metrics by name and segment."""

    def make(evaluation):
        return {(metric.name, metric.segment): metric for metric in evaluation.metrics}

    return make


@pytest.fixture
def bare():
    """``bare(lm)``: the model behind nothing but ptx's own interface."""

    class Served:
        def __init__(self, lm):
            for name in ("tokenizer", "generate", "loglikelihood", "logits", "max_length"):
                setattr(self, name, getattr(lm, name))

    return Served


@pytest.fixture
def said(chat_model):
    def ask(*entries, model=chat_model, **settings):
        return [
            str(problem)
            for problem in ptx_validate(
                RunConfig(eval={"bench": Bench(tasks=list(entries), **settings)}), model
            )
        ]

    return ask
