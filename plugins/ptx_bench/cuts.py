"""How many tokens each request lost because it is longer than the model's context.

A prompt that is too long loses its beginning: few-shot examples, or the question itself. lm-eval
warns of that in its log; here it is counted per item and per task.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ptx import Metric
from ptx.stats import proportion
from ptx_bench.shares import key_of


class Cuts:
    """Lost tokens by request."""

    def __init__(self) -> None:
        self.tokens: dict[Hashable, int] = {}

    def add(self, request: Sequence[Any], tokens: int) -> None:
        """Record that a request, given as lm-eval's arguments, was ``tokens`` too long, if it was."""
        if tokens > 0:
            self.tokens[key_of(request)] = tokens

    def of(self, requests: Iterable[Sequence[Any]]) -> int:
        """The most tokens that one of an item's requests lost."""
        return max((self.tokens.get(key_of(request), 0) for request in requests), default=0)

    def by_task(self, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, tuple[int, int]]:
        """(Items that lost tokens, all items) of each task in which any did."""
        found = {}
        for task, examples in samples.items():
            items = {one["doc_id"]: self.of(one["arguments"]) for one in examples}
            if lost := sum(tokens > 0 for tokens in items.values()):
                found[task] = (lost, len(items))
        return found


def cut_shares(tasks: Mapping[str, tuple[int, int]]) -> list[Metric]:
    """``bench/TASK/cut``: the share of a task's items that lost tokens; no metric where none did."""
    return [
        Metric(f"bench/{task}/cut", lost / total, "fraction", "lower", *proportion(lost, total), n=total)
        for task, (lost, total) in tasks.items()
    ]


def cut_lines(tasks: Mapping[str, tuple[int, int]], context: int) -> Iterator[str]:
    """A message for each task in which items lost tokens."""
    for task, (lost, total) in tasks.items():
        yield (
            f"{task}: {lost} of {total} prompts are longer than the model's context of {context} tokens and"
            " lose their beginning"
        )
