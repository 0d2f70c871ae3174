import json
import math
import os
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from benchmarks.stories.prepare import write_task
from ptx import ModelRef, RunConfig, StepError
from ptx_bench import Bench, ptx_evaluate, ptx_validate
from ptx_hf import HF, ptx_load

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))


@pytest.fixture(scope="module")
def lm(chat_model):
    return ptx_load(HF(), ModelRef.of(chat_model), "cpu")


class Served:
    """The same model behind nothing but ptx's own interface."""

    def __init__(self, lm):
        self.tokenizer, self.generate, self.loglikelihood, self.max_length = (
            lm.tokenizer,
            lm.generate,
            lm.loglikelihood,
            lm.max_length,
        )


def directly(lm, folder, **options):
    harness = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=options.pop("batch_size", 64))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(
        model=harness, tasks=manager.all_subtasks, task_manager=manager, bootstrap_iters=0, **options
    )["results"]


def values(evaluation):
    return {(metric.name, metric.segment): metric for metric in evaluation.metrics}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the BLiMP files and stories260K of PTX_SHARED")
def test_blimp_on_stories260k_comes_out_as_in_a_direct_lm_eval_run_to_the_last_digit(make_run, tmp_path):
    for file in sorted((SHARED / "data/blimp").glob("*.jsonl")):
        write_task(file, tmp_path)
    stories = ptx_load(HF(), ModelRef.of(SHARED / "models/stories260K"), "cpu")
    found = values(ptx_evaluate(make_run(), Bench(tasks=[str(tmp_path)], limit=100), stories))
    direct = directly(stories, tmp_path, limit=100)
    assert len(direct) == 6
    for name, result in direct.items():
        assert found[f"bench/{name}/acc", ""].value == result["acc,none"]
    assert found["bench/mean", ""].value == pytest.approx(
        math.fsum(result["acc,none"] for result in direct.values()) / 6, abs=1e-15
    )


def test_every_kind_of_task_has_lm_evals_own_value_and_an_interval_around_it(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(**kinds)
    found = values(ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm))
    direct = directly(lm, folder)
    for task, metric in (
        ("choices", "acc"),
        ("choices", "acc_norm"),
        ("generated", "exact_match"),
        ("rolling", "word_perplexity"),
    ):
        one = found[f"bench/{task}/{metric}", ""]
        assert one.value == direct[task][f"{metric},none"]
        assert one.low <= one.value <= one.high
        assert one.n == 6
    assert found["bench/rolling/word_perplexity", ""].better == "lower"
    assert found["bench/rolling/bits_per_byte", ""].unit == "bits/byte"
    assert found["bench/choices/acc", ""].unit == "fraction"


def test_another_runtime_gets_the_same_scores_through_ptxs_interface(make_run, write_tasks, kinds, lm):
    config = Bench(tasks=[str(write_tasks(**kinds))])
    ours, theirs = (values(ptx_evaluate(make_run(), config, model)) for model in (Served(lm), lm))
    assert ours.keys() == theirs.keys()
    for key, metric in ours.items():
        assert metric.value == pytest.approx(theirs[key].value, rel=1e-5)


def test_segments_add_up_to_the_whole(make_run, write_tasks, kinds, lm):
    evaluation = ptx_evaluate(make_run(), Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), lm)
    found = values(evaluation)
    short, long = (found["bench/choices/acc", f"skill={skill}"] for skill in ("short", "long"))
    assert (short.n, long.n) == (3, 3)
    assert (short.value + long.value) / 2 == pytest.approx(found["bench/choices/acc", ""].value)
    assert found["bench/choices/acc", "language=en"].n == 6
    assert ("bench/choices/acc", "difficulty=1") not in found
    assert evaluation.rows[0]["segments"] == {"skill": "short", "language": "en"}


def test_a_task_says_in_its_metadata_what_its_segments_are(make_run, write_tasks, kinds, lm):
    task = {**kinds["choices"], "metadata": {"version": 1, "segments": ["answer"]}}
    found = values(ptx_evaluate(make_run(), Bench(tasks=[str(write_tasks(choices=task))]), lm))
    assert {segment for _, segment in found if segment} == {
        f"answer={word}" for word in ("cat", "dog", "sun", "house", "river", "stone")
    }


def test_rows_have_stable_items_and_scores_that_average_to_the_metrics(make_run, write_tasks, kinds, lm):
    config = Bench(tasks=[str(write_tasks(choices=kinds["choices"], generated=kinds["generated"]))])
    first, second = (ptx_evaluate(make_run(), config, lm) for _ in range(2))
    assert [row["item"] for row in first.rows] == [row["item"] for row in second.rows]
    assert len({row["item"] for row in first.rows}) == 12
    for name in ("bench/choices/acc", "bench/mean"):
        scores = [row["scores"][name] for row in first.rows if name in row["scores"]]
        assert sum(scores) / len(scores) == pytest.approx(values(first)[name, ""].value)
    row = first.rows[0]
    assert (row["prompt"], row["target"]) == ("Say cat.", "cat")
    assert row["output"] in ("cat", "zebra")


def test_the_mean_over_tasks_weighs_tasks_not_items(make_run, write_tasks, kinds, lm, tmp_path):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    single = tmp_path / "single.jsonl"
    single.write_text((folder / "docs.jsonl").read_text().splitlines()[0] + "\n")
    task = json.loads((folder / "generated.yaml").read_text())
    task["dataset_kwargs"]["data_files"]["test"] = str(single)
    (folder / "generated.yaml").write_text(json.dumps(task))
    evaluation = ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm)
    found = values(evaluation)
    mean = (found["bench/choices/acc", ""].value + found["bench/generated/exact_match", ""].value) / 2
    assert found["bench/mean", ""].value == pytest.approx(mean)
    scores = [row["scores"]["bench/mean"] for row in evaluation.rows]
    assert sum(scores) / len(scores) == pytest.approx(mean)


def test_each_filter_is_a_metric_and_the_first_is_the_tasks_primary(make_run, write_tasks, kinds, lm):
    regex = {"function": "regex", "regex_pattern": "(.)", "fallback": "none"}
    filters = [
        {"name": name, "filter": [regex, {"function": "take_first"}]} for name in ("strict", "flexible")
    ]
    found = values(
        ptx_evaluate(
            make_run(),
            Bench(tasks=[str(write_tasks(generated={**kinds["generated"], "filter_list": filters}))]),
            lm,
        )
    )
    assert {name for name, segment in found if not segment} == {
        "bench/generated/exact_match.strict",
        "bench/generated/exact_match.flexible",
        "bench/mean",
    }


def test_the_chat_template_goes_to_the_tasks_that_ask_for_it(make_run, write_tasks, kinds, lm):
    chat = {**kinds["generated"], "metadata": {"version": 1, "apply_chat_template": True}}
    folder = str(write_tasks(chat=chat, plain=kinds["generated"]))

    def prompts(**settings):
        rows = ptx_evaluate(make_run(), Bench(tasks=[folder], limit=1, **settings), lm).rows
        return {row["item"].partition(":")[0]: row["prompt"] for row in rows}

    templated = "<|bos|><|user|>Say cat.<|end|><|assistant|>"
    assert prompts() == {"plain": "Say cat.", "chat": templated}
    assert prompts(chat_template="true") == {"plain": templated, "chat": templated}
    assert prompts(chat_template=False) == {"plain": "Say cat.", "chat": "Say cat."}


def test_a_group_has_lm_evals_value_and_its_tasks_are_run_once(make_run, write_tasks, kinds, lm):
    folder = write_tasks(one=kinds["choices"], two=kinds["choices"])
    group = {
        "group": "both",
        "task": ["one", "two"],
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}],
    }
    (folder / "both.yaml").write_text(json.dumps(group))
    found = values(ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm))
    assert found["bench/both/acc", ""].value == pytest.approx(found["bench/one/acc", ""].value)
    assert found["bench/both/acc", ""].n == 12


def test_progress_counts_requests(make_run, write_tasks, kinds, lm):
    run = make_run()
    ptx_evaluate(run, Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), lm)
    assert run.console.progressed[-1]["step"] == run.console.progressed[-1]["total"] == 12


def test_one_yaml_file_is_one_task_and_few_shot_examples_come_from_lm_evals_seed(
    make_run, write_tasks, kinds, lm
):
    task = {**kinds["choices"], "num_fewshot": 1, "fewshot_split": "test"}
    folder = write_tasks(choices=task, generated=kinds["generated"])
    found = values(ptx_evaluate(make_run(), Bench(tasks=[str(folder / "choices.yaml")], num_fewshot=2), lm))
    assert {name for name, _ in found} == {"bench/choices/acc", "bench/choices/acc_norm", "bench/mean"}
    assert found["bench/choices/acc", ""].value == directly(lm, folder, num_fewshot=2)["choices"]["acc,none"]


def test_a_task_that_cannot_be_loaded_is_an_error_that_names_it(make_run, write_tasks, kinds, lm):
    folder = write_tasks(choices={**kinds["choices"], "dataset_path": "nobody/nothing", "dataset_kwargs": {}})
    with pytest.raises(StepError, match=r"could not load the tasks of .*tasks: .*items must lie on disk"):
        ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm)


def test_an_evaluator_of_another_plugin_is_left_alone(make_run, lm):
    assert ptx_evaluate(make_run(), object(), lm) is None
    assert ptx_validate(RunConfig(eval={"other": object()}), Path()) == []


def test_items_are_named_by_content_so_that_a_reordered_and_longer_file_joins(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    config = Bench(tasks=[str(folder)])
    before = {row["item"]: row["scores"] for row in ptx_evaluate(make_run(), config, lm).rows}
    docs = [json.loads(line) for line in (folder / "docs.jsonl").read_text().splitlines()]
    more = [{**docs[0], "question": "Say moon.", "answer": "moon", "choices": ["moon", "zebra"]}]
    changed = [{**doc, "difficulty": "easy"} for doc in more + docs[::-1]]  # a column that no request shows
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in changed))
    after = {row["item"]: row["scores"] for row in ptx_evaluate(make_run(), config, lm).rows}
    assert {item: after[item] for item in before} == before
    assert len(after) == len(before) + 2


def test_an_item_that_asks_the_same_but_holds_another_answer_right_is_another(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(choices=kinds["choices"])
    docs = [json.loads(line) for line in (folder / "docs.jsonl").read_text().splitlines()][:1]
    twice = [docs[0], {**docs[0], "choices": docs[0]["choices"][::-1]}, docs[0]]
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in twice))
    first, other, again = (
        row["item"] for row in ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm).rows
    )
    assert other not in (first, again)
    assert again == f"{first}:2"


@pytest.mark.parametrize("served", [False, True])
def test_every_row_says_what_its_item_took(make_run, write_tasks, kinds, lm, served):
    rows = ptx_evaluate(
        make_run(), Bench(tasks=[str(write_tasks(**kinds))]), Served(lm) if served else lm
    ).rows
    assert len(rows) == 18
    assert all(0 < row["latency"] < 60 for row in rows)


def test_with_the_prefix_cache_scores_are_the_same_within_rounding(
    make_run, write_tasks, kinds, chat_model, lm
):
    task = {
        **kinds["choices"],
        "num_fewshot": 3,
        "fewshot_split": "test",
        "fewshot_config": {"sampler": "first_n"},
    }
    folder = write_tasks(choices=task)
    asked = (folder / "docs.jsonl").read_text()
    (folder / "docs.jsonl").write_text(
        asked + asked.replace("Say", "Tell")
    )  # a header must serve eight items
    config = Bench(tasks=[str(folder)])
    sharing = ptx_load(HF(prefix_cache=True), ModelRef.of(chat_model), "cpu")
    assert sharing.prefix_cache
    read = {}
    evaluations = {}
    for name, model in (("plain", lm), ("shared", sharing)):
        tokens = []
        hook = model.model.register_forward_pre_hook(
            lambda _, args, kept=tokens: kept.append(args[0].numel())
        )
        evaluations[name] = ptx_evaluate(make_run(), config, model)
        hook.remove()
        read[name] = sum(tokens)
    plain, shared = (values(evaluations[name]) for name in ("plain", "shared"))
    assert {key: metric.value for key, metric in shared.items()} == {
        key: metric.value for key, metric in plain.items()
    }
    assert [row["output"] for row in evaluations["shared"].rows] == [
        row["output"] for row in evaluations["plain"].rows
    ]
    assert read["shared"] < read["plain"] / 3
    assert all(row["latency"] > 0 for row in evaluations["shared"].rows)


def test_a_model_that_nothing_can_be_shared_with_is_read_whole_and_that_is_said(
    make_run, write_tasks, kinds, lm
):
    class Refused(Served):
        prefix_refused = "the model's cache is made of sand"

    run = make_run()
    ptx_evaluate(run, Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), Refused(lm))
    assert any(
        "read whole, as nothing can be shared: the model's cache is made of sand" in line
        for line in run.console.lines
    )


def test_a_task_that_judges_with_python_of_its_own_is_named_by_whole_documents(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(generated={**kinds["generated"], "process_results": "!function judge.judged"})
    (folder / "judge.py").write_text(
        "def judged(doc, results):\n    return {'exact_match': float(results[0] == doc['rule'])}\n"
    )
    text = (folder / "generated.yaml").read_text()
    (folder / "generated.yaml").write_text(text.replace('"!function judge.judged"', "!function judge.judged"))
    docs = [{"question": "Say cat.", "answer": "cat", "rule": rule} for rule in ("cat", "dog")]
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    names = [row["item"] for row in ptx_evaluate(make_run(), Bench(tasks=[str(folder)]), lm).rows]
    assert len({name.removesuffix(":2") for name in names}) == 2
