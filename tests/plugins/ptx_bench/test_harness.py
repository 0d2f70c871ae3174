import pytest

from ptx import ModelRef
from ptx.lm.progress import Pace
from ptx_bench import Bench
from ptx_bench.evaluate import evaluate, harness_model
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
    whole = ptx_load(HF(prefix_cache=False), ModelRef.of(chat_model), "cpu")
    assert lm.prefix_cache
    assert not whole.prefix_cache
    read = {}
    evaluations = {}
    for name, model in (("plain", whole), ("shared", lm)):
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


def test_requests_that_read_the_same_tokens_and_predict_more_or_fewer_of_them_have_scores_of_their_own(
    make_run, lm
):
    words = lm.tokenizer("One day she went home again", add_special_tokens=False)["input_ids"]
    pairs = [(words[:cut], words[cut:]) for cut in range(1, len(words))]
    together = harness_model(lm, 8, Pace(make_run()))
    asked = [((str(place), ""), *pair) for place, pair in enumerate(pairs)]
    found = together._loglikelihood_tokens(asked)
    alone = [together._loglikelihood_tokens([one])[0] for one in asked]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in alone], rel=1e-6)
    assert len({round(score, 3) for score, _ in found}) == len(pairs)


def test_a_continuation_longer_than_the_context_is_scored_on_what_fits(make_run, lm):
    tokens = lm.tokenizer("she went home again " * 600, add_special_tokens=False)["input_ids"]
    ((score, _),) = harness_model(lm, 8, Pace(make_run()))._loglikelihood_tokens(
        [(("a", "b"), tokens[:2], tokens)]
    )
    ((expected, _),) = lm.loglikelihood_tokens([(tokens[:2], tokens)])
    assert score == pytest.approx(expected, rel=1e-6)
