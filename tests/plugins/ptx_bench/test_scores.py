import json

import pytest

from ptx_bench import Bench
from ptx_bench.evaluate import evaluate


def test_segments_add_up_to_the_whole(make_run, write_tasks, kinds, lm, values):
    evaluation = evaluate(make_run(), Bench(tasks=[str(write_tasks(choices=kinds["choices"]))]), lm)
    found = values(evaluation)
    short, long = (found["bench/choices/acc", f"skill={skill}"] for skill in ("short", "long"))
    assert (short.n, long.n) == (3, 3)
    assert (short.value + long.value) / 2 == pytest.approx(found["bench/choices/acc", ""].value)
    assert found["bench/choices/acc", "language=en"].n == 6
    assert ("bench/choices/acc", "difficulty=1") not in found
    assert evaluation.rows[0]["segments"] == {"skill": "short", "language": "en"}


def test_a_task_says_in_its_metadata_what_its_segments_are(make_run, write_tasks, kinds, lm, values):
    task = {**kinds["choices"], "metadata": {"version": 1, "segments": ["answer"]}}
    found = values(evaluate(make_run(), Bench(tasks=[str(write_tasks(choices=task))]), lm))
    assert {segment for _, segment in found if segment} == {
        f"answer={word}" for word in ("cat", "dog", "sun", "house", "river", "stone")
    }


def test_rows_have_stable_items_and_scores_that_average_to_the_metrics(
    make_run, write_tasks, kinds, lm, values
):
    config = Bench(tasks=[str(write_tasks(choices=kinds["choices"], generated=kinds["generated"]))])
    first, second = (evaluate(make_run(), config, lm) for _ in range(2))
    assert [row["item"] for row in first.rows] == [row["item"] for row in second.rows]
    assert len({row["item"] for row in first.rows}) == 12
    for name in ("bench/choices/acc", "bench/mean"):
        scores = [row["scores"][name] for row in first.rows if name in row["scores"]]
        assert sum(scores) / len(scores) == pytest.approx(values(first)[name, ""].value)
    row = first.rows[0]
    assert (row["prompt"], row["target"]) == ("Say cat.", "cat")
    assert row["output"] in ("cat", "zebra")


def test_the_mean_over_tasks_weighs_tasks_not_items(make_run, write_tasks, kinds, lm, tmp_path, values):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    single = tmp_path / "single.jsonl"
    single.write_text((folder / "docs.jsonl").read_text().splitlines()[0] + "\n")
    task = json.loads((folder / "generated.yaml").read_text())
    task["dataset_kwargs"]["data_files"]["test"] = str(single)
    (folder / "generated.yaml").write_text(json.dumps(task))
    evaluation = evaluate(make_run(), Bench(tasks=[str(folder)]), lm)
    found = values(evaluation)
    mean = (found["bench/choices/acc", ""].value + found["bench/generated/exact_match", ""].value) / 2
    assert found["bench/mean", ""].value == pytest.approx(mean)
    scores = [row["scores"]["bench/mean"] for row in evaluation.rows]
    assert sum(scores) / len(scores) == pytest.approx(mean)


def test_each_filter_is_a_metric_and_the_first_is_the_tasks_primary(make_run, write_tasks, kinds, lm, values):
    regex = {"function": "regex", "regex_pattern": "(.)", "fallback": "none"}
    filters = [
        {"name": name, "filter": [regex, {"function": "take_first"}]} for name in ("strict", "flexible")
    ]
    found = values(
        evaluate(
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


def test_a_group_has_lm_evals_value_and_its_tasks_are_run_once(make_run, write_tasks, kinds, lm, values):
    folder = write_tasks(one=kinds["choices"], two=kinds["choices"])
    group = {
        "group": "both",
        "task": ["one", "two"],
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}],
    }
    (folder / "both.yaml").write_text(json.dumps(group))
    found = values(evaluate(make_run(), Bench(tasks=[str(folder)]), lm))
    assert found["bench/both/acc", ""].value == pytest.approx(found["bench/one/acc", ""].value)
    assert found["bench/both/acc", ""].n == 12


def test_items_are_named_by_content_so_that_a_reordered_and_longer_file_joins(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(choices=kinds["choices"], generated=kinds["generated"])
    config = Bench(tasks=[str(folder)])
    before = {row["item"]: row["scores"] for row in evaluate(make_run(), config, lm).rows}
    docs = [json.loads(line) for line in (folder / "docs.jsonl").read_text().splitlines()]
    more = [{**docs[0], "question": "Say moon.", "answer": "moon", "choices": ["moon", "zebra"]}]
    changed = [{**doc, "difficulty": "easy"} for doc in more + docs[::-1]]  # a column that no request shows
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in changed))
    after = {row["item"]: row["scores"] for row in evaluate(make_run(), config, lm).rows}
    assert {item: after[item] for item in before} == before
    assert len(after) == len(before) + 2


def test_an_item_that_asks_the_same_but_holds_another_answer_right_is_another(
    make_run, write_tasks, kinds, lm
):
    folder = write_tasks(choices=kinds["choices"])
    docs = [json.loads(line) for line in (folder / "docs.jsonl").read_text().splitlines()][:1]
    twice = [docs[0], {**docs[0], "choices": docs[0]["choices"][::-1]}, docs[0]]
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in twice))
    first, other, again = (row["item"] for row in evaluate(make_run(), Bench(tasks=[str(folder)]), lm).rows)
    assert other not in (first, again)
    assert again == f"{first}:2"


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
    config = Bench(tasks=[str(folder)], allow_code=True)
    names = [row["item"] for row in evaluate(make_run(), config, lm).rows]
    assert len({name.removesuffix(":2") for name in names}) == 2
