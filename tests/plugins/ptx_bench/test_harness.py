from ptx import ModelRef
from ptx_bench import Bench
from ptx_bench.evaluate import evaluate
from ptx_hf import HF, ptx_load


def test_with_the_prefix_cache_scores_are_the_same_within_rounding(
    make_run, write_tasks, kinds, chat_model, lm, values
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
        evaluations[name] = evaluate(make_run(), config, model)
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
