import math
import os
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from benchmarks.stories.prepare import write_task
from ptx import ModelRef, StepError
from ptx_bench import Bench
from ptx_bench.evaluate import evaluate
from ptx_hf import HF, ptx_load

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))


def directly(lm, folder, **options):
    harness = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=options.pop("batch_size", 64))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(
        model=harness, tasks=manager.all_subtasks, task_manager=manager, bootstrap_iters=0, **options
    )["results"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the BLiMP files and stories260K of PTX_SHARED")
def test_blimp_on_stories260k_comes_out_as_in_a_direct_lm_eval_run_to_the_last_digit(
    make_run, tmp_path, values
):
    for file in sorted((SHARED / "data/blimp").glob("*.jsonl")):
        write_task(file, tmp_path)
    stories = ptx_load(HF(), ModelRef.of(SHARED / "models/stories260K"), "cpu")
    found = values(evaluate(make_run(), Bench(tasks=[str(tmp_path)], limit=100), stories))
    direct = directly(stories, tmp_path, limit=100)
    assert len(direct) == 6
    for name, result in direct.items():
        assert found[f"bench/{name}/acc", ""].value == result["acc,none"]
    assert found["bench/mean", ""].value == pytest.approx(
        math.fsum(result["acc,none"] for result in direct.values()) / 6, abs=1e-15
    )


def test_every_kind_of_task_has_lm_evals_own_value_and_an_interval_around_it(
    make_run, write_tasks, kinds, lm, values
):
    folder = write_tasks(**kinds)
    found = values(evaluate(make_run(), Bench(tasks=[str(folder)]), lm))
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


def test_the_chat_template_goes_to_the_tasks_that_ask_for_it(make_run, write_tasks, kinds, lm):
    chat = {**kinds["generated"], "metadata": {"version": 1, "apply_chat_template": True}}
    folder = str(write_tasks(chat=chat, plain=kinds["generated"]))

    def prompts(**settings):
        rows = evaluate(make_run(), Bench(tasks=[folder], limit=1, **settings), lm).rows
        return {row["item"].partition(":")[0]: row["prompt"] for row in rows}

    templated = "<|bos|><|user|>Say cat.<|end|><|assistant|>"
    assert prompts() == {"plain": "Say cat.", "chat": templated}
    assert prompts(chat_template="true") == {"plain": templated, "chat": templated}
    assert prompts(chat_template=False) == {"plain": "Say cat.", "chat": "Say cat."}


def test_progress_counts_requests(make_run, write_tasks, kinds, lm):
    run = make_run()
    evaluate(run, Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), lm)
    assert run.console.progressed[-1]["step"] == run.console.progressed[-1]["total"] == 12


def test_one_yaml_file_is_one_task_and_few_shot_examples_come_from_lm_evals_seed(
    make_run, write_tasks, kinds, lm, values
):
    task = {**kinds["choices"], "num_fewshot": 1, "fewshot_split": "test"}
    folder = write_tasks(choices=task, generated=kinds["generated"])
    found = values(evaluate(make_run(), Bench(tasks=[str(folder / "choices.yaml")], num_fewshot=2), lm))
    assert {name for name, _ in found} == {"bench/choices/acc", "bench/choices/acc_norm", "bench/mean"}
    assert found["bench/choices/acc", ""].value == directly(lm, folder, num_fewshot=2)["choices"]["acc,none"]


def test_a_task_that_cannot_be_loaded_is_an_error_that_names_it(make_run, write_tasks, kinds, lm):
    folder = write_tasks(choices={**kinds["choices"], "dataset_path": "nobody/nothing", "dataset_kwargs": {}})
    with pytest.raises(StepError, match=r"could not load the tasks of .*tasks: .*items must lie on disk"):
        evaluate(make_run(), Bench(tasks=[str(folder)]), lm)


def test_a_model_whose_cache_cannot_be_shared_reads_requests_whole_and_a_message_says_so(
    make_run, write_tasks, kinds, lm, bare
):
    class Refused(bare):
        prefix_refused = "the model's cache is made of sand"

    run = make_run()
    evaluate(run, Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), Refused(lm))
    assert any(
        "every request is read whole: the model's cache is made of sand" in line for line in run.console.lines
    )
