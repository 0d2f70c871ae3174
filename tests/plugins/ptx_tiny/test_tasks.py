"""The benchmark as lm-eval loads it: offline, segmented, and scored as by ptx_tiny itself."""

import json
import re
from pathlib import Path

import pytest

from ptx_tiny import MODEL_FOLDER
from ptx_tiny.replies import FLEXIBLE, STRICT
from ptx_tiny.skills import ANSWERED
from ptx_tiny.tasks import DOCUMENTS, HANDLED, SPECIFIC, write_tasks

NAMES = ("tiny_answers", "tiny_choices", "tiny_refusals")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "tasks"
    write_tasks(folder, folder)
    return folder


def test_the_task_names_begin_with_tiny_and_carry_the_tag(folder: Path):
    assert tuple(sorted(path.stem for path in folder.glob("*.yaml"))) == NAMES
    for name in NAMES:
        definition = json.loads((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        assert definition["task"] == name
        assert definition["tag"] == ["tiny"]
        assert definition["metadata"]["apply_chat_template"] is True
        assert "demonstration and test" in definition["metadata"]["description"].lower()
        assert Path(definition["dataset_kwargs"]["data_files"]["test"]).is_absolute()


@pytest.mark.parametrize("name", NAMES)
def test_every_document_has_its_segments(name: str):
    rows = list(DOCUMENTS[name]())
    assert {row["language"] for row in rows} == {"en", "es", "de"}
    assert {row["difficulty"] for row in rows} == {"easy", "medium", "hard"}
    assert all(row["skill"] for row in rows)


def test_there_are_enough_documents_for_narrow_intervals():
    assert 1000 <= sum(len(list(make())) for make in DOCUMENTS.values()) <= 1600


def test_the_right_choice_is_among_the_choices_and_not_always_first():
    golds = [row["gold"] for row in DOCUMENTS["tiny_choices"]() if row["replies"][row["gold"]]]
    assert len(set(golds)) > 2


def test_the_first_documents_hold_every_skill_so_that_a_limited_run_is_fair(folder: Path):
    lines = (folder / "tiny_answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["skill"] for line in lines[:100]} == set(ANSWERED)


def test_a_right_refusal_passes_the_filter_and_gibberish_does_not():
    for row in DOCUMENTS["tiny_refusals"]():
        assert re.findall(HANDLED, row["answer"] + " and more") == [row["answer"]]
    assert re.findall(HANDLED, "xx yy") == []


def test_the_filters_are_the_verifiers_own_patterns():
    filters = {
        entry["name"]: entry["filter"][0]["regex_pattern"]
        for entry in SPECIFIC["tiny_answers"]["filter_list"]
    }
    assert filters == {"strict": STRICT, "flexible": FLEXIBLE}


@pytest.mark.slow
def test_lm_eval_loads_and_scores_the_tasks_offline_as_the_verifier_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    from lm_eval import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ptx_tiny.evaluate import is_right_reply

    model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER, dtype="float32").eval()
    lm = HFLM(pretrained=model, tokenizer=AutoTokenizer.from_pretrained(MODEL_FOLDER), batch_size=16)
    tasks = TaskManager(include_path=str(folder), include_defaults=False).load(list(NAMES))
    found = evaluate(lm=lm, task_dict=tasks, limit=24, bootstrap_iters=1, apply_chat_template=True)
    for name, metric in (
        ("tiny_answers", "exact_match_stderr,strict"),
        ("tiny_choices", "acc_stderr,none"),
        ("tiny_refusals", "exact_match_stderr,strict"),
    ):
        assert isinstance(found["results"][name][metric], float)
    for sample in found["samples"]["tiny_answers"]:
        reply = sample["resps"][0][0]
        assert bool(sample["exact_match"]) == is_right_reply(
            sample["doc"], reply, strict=sample["filter"] == "strict"
        )


def test_the_benchmark_counts_no_meaning_twice():
    for make in DOCUMENTS.values():
        keys = [(row["skill"], row["key"]) for row in make()]
        assert len(keys) == len(set(keys))
