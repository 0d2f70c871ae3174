"""Counting prompts that lost their beginning."""

from ptx_bench.cuts import Cuts, cut_lines, cut_shares


def samples(*texts):
    return [{"doc_id": place, "arguments": [(text, " a"), (text, " b")]} for place, text in enumerate(texts)]


def test_an_item_is_cut_when_one_of_its_requests_is_and_by_the_most_tokens():
    cuts = Cuts()
    cuts.add(("long", " a"), 3)
    cuts.add(("long", " b"), 5)
    cuts.add(("short", " a"), 0)
    cuts.add(("short", " b"), -7)
    long, short = samples("long", "short")
    assert (cuts.of(long["arguments"]), cuts.of(short["arguments"])) == (5, 0)


def test_tasks_without_a_cut_item_are_not_mentioned_and_filters_count_an_item_once():
    cuts = Cuts()
    cuts.add(("long", " a"), 3)
    tasks = cuts.by_task({"one": samples("long", "short") * 2, "two": samples("short")})
    assert tasks == {"one": (1, 2)}
    (metric,) = cut_shares(tasks)
    assert (metric.name, metric.value, metric.n, metric.better) == ("bench/one/cut", 0.5, 2, "lower")
    assert metric.low < 0.5 < metric.high
    assert list(cut_lines(tasks, 512)) == [
        "one: 1 of 2 prompts are longer than the model's context of 512 tokens and lose their beginning"
    ]
