import json

import pytest

from ptx_bench import Bench
from ptx_bench import tasks as bench_tasks
from ptx_bench.definitions import definitions


def test_good_tasks_have_no_problem(said, write_tasks, kinds):
    assert said(str(write_tasks(**kinds))) == []


def test_no_task_at_all_is_a_problem_with_the_fix(said):
    assert "set eval.bench.tasks=[...]: a folder of lm-eval YAML tasks" in said()[0]


def test_a_path_that_is_not_there_is_named(said, tmp_path):
    assert f"there is no {tmp_path / 'nowhere'}" in said(str(tmp_path / "nowhere"))[0]


def test_a_folder_without_tasks_is_named(said, tmp_path):
    assert "defines no task" in said(str(tmp_path))[0]


def test_broken_yaml_is_named_with_its_line(said, write_tasks, kinds):
    folder = write_tasks(**kinds)
    (folder / "broken.yaml").write_text("task: x\nmetric_list: [\n")
    assert "broken.yaml: it is not YAML: line 3: " in said(str(folder))[0]


def test_missing_items_are_found_and_those_beside_the_yaml_pointed_at(said, write_tasks, kinds):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    for name, file in (("choices", "nothing.jsonl"), ("generated", "docs.jsonl")):
        task = json.loads((folder / f"{name}.yaml").read_text())
        task["dataset_kwargs"]["data_files"] = {"test": file}
        (folder / f"{name}.yaml").write_text(json.dumps(task))
    missing, beside = said(str(folder))
    assert "task choices reads nothing.jsonl, which is not there" in missing
    assert f"write data_files: {folder / 'docs.jsonl'}" in beside


def test_a_metric_that_lm_eval_would_ask_the_network_for_is_refused(said, write_tasks, kinds):
    folder = write_tasks(choices=kinds["choices"])
    task = json.loads((folder / "choices.yaml").read_text())
    metrics = [{"metric": "acurracy"}, {"metric": "acc"}, {"metric": "rouge", "hf_evaluate": True}]
    (folder / "choices.yaml").write_text(json.dumps({**task, "metric_list": metrics}))
    (problem,) = said(str(folder), allow_code=True)
    assert "choices.yaml: lm-eval knows no metric 'acurracy' of task choices" in problem


@pytest.mark.slow
def test_the_metrics_that_lm_eval_computes_itself_are_those_listed(monkeypatch):
    import evaluate
    import lm_eval.api.metrics  # noqa: F401 (fills the registry)
    from lm_eval.api.registry import get_metric, metric_registry

    asked = []
    monkeypatch.setattr(evaluate, "load", asked.append)
    assert sorted(metric_registry.keys()) == sorted(bench_tasks.METRICS)
    get_metric("acurracy")
    assert asked == ["acurracy"], "the plain call asks the network"


def test_a_name_that_lm_eval_does_not_know_gets_the_nearest_one(said, monkeypatch):
    class Manager:
        all_tasks = ("arc_easy", "hellaswag")

    monkeypatch.setattr(bench_tasks, "default_manager", Manager)
    assert said("arc_easy") == []
    assert said("hellaswga") == [
        "eval.bench.tasks: lm-eval knows no task 'hellaswga'; did you mean 'hellaswag'?"
    ]


def test_a_model_without_the_chat_template_that_tasks_ask_for_is_a_problem(
    said, write_tasks, kinds, plain_model
):
    folder = str(write_tasks(chat={**kinds["generated"], "metadata": {"apply_chat_template": True}}))
    assert said(folder) == []
    assert "the tasks chat ask for a chat template" in said(folder, model=plain_model)[0]
    assert said(folder, model=plain_model, chat_template="false") == []


def test_yaml_may_include_other_yaml_and_name_functions(said, write_tasks, kinds):
    folder = write_tasks(choices=kinds["choices"])
    task = json.loads((folder / "choices.yaml").read_text())
    (folder / "_base.yaml").write_text(
        json.dumps({key: value for key, value in task.items() if key != "task"})
    )
    (folder / "choices.yaml").write_text(
        "include: _base.yaml\ntask: choices\nprocess_docs: !function utils.process\n"
    )
    assert said(str(folder), allow_code=True) == []
    assert [one.name for one in definitions(folder)] == ["choices"]


def test_inputs_are_the_task_folder_and_the_items_that_lie_elsewhere(write_tasks, kinds, tmp_path):
    folder = write_tasks(**kinds)
    assert Bench(tasks=[str(folder), "arc_easy"]).inputs() == [folder]
    elsewhere = tmp_path / "docs.jsonl"
    (folder / "docs.jsonl").rename(elsewhere)
    for file in folder.glob("*.yaml"):
        task = json.loads(file.read_text())
        task["dataset_kwargs"]["data_files"] = str(elsewhere)
        file.write_text(json.dumps(task))
    assert Bench(tasks=[str(folder)]).inputs() == [folder, elsewhere]
