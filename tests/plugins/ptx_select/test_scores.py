"""The numbers of rows: what counts as the reply, and both definitions of IFD."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from ptx_select.scores import content_of, ifd, losses, reply_of, scored

ASKED = {"role": "user", "content": "5 + 5?"}
SAID = {"role": "assistant", "content": "ten it is"}


class Counting:
    """A loss of one nat per token, of half a nat where there is a context."""

    def __init__(self):
        self.tokenizer = SimpleNamespace(chat_template=None)
        self.tokenizer = type("Words", (), {
            "chat_template": None,
            "__call__": lambda self, text, **_: {"input_ids": text.split()},
        })()  # fmt: skip

    def loglikelihood(self, pairs):
        return [(-len(reply.split()) * (0.5 if context else 1.0), False) for context, reply in pairs]


@pytest.mark.parametrize(
    ("shape", "row", "reply", "content"),
    [
        ("messages", {"messages": [ASKED, SAID]}, "ten it is", ["5 + 5?", "ten it is"]),
        ("pairs", {"prompt": "a", "chosen": [SAID], "rejected": "c", "skill": "x"}, "ten it is", 3),
        ("completions", {"prompt": "a", "completion": "b"}, "b", ["a", "b"]),
        ("text", {"text": "t"}, "t", ["t"]),
        ("prompts", {"prompt": "a", "answer": "4"}, "a", ["a"]),
    ],
)
def test_the_reply_is_what_is_learnt(shape, row, reply, content):
    assert reply_of(row) == reply
    found = content_of(shape, row)
    assert len(found) == content if isinstance(content, int) else found == content


def test_losses_are_means_over_the_tokens_of_the_reply():
    assert losses(Counting(), [("", "one two"), ("c", "one two"), ("c", "")])[:2] == [1.0, 0.5]
    assert math.isnan(losses(Counting(), [("c", "")])[0])


def test_the_two_definitions_of_ifd_differ():
    rows = [{"messages": [ASKED, SAID]}]
    assert scored(Counting(), "ifd", rows) == [0.5]
    assert scored(Counting(), "ifd_ppl", rows) == [pytest.approx(math.exp(-0.5))]
    assert scored(Counting(), "perplexity", rows) == [pytest.approx(math.exp(0.5))]
    # they rank differently: a large loss that falls a little, and a small one that falls by the same
    assert ifd("ifd", 3.0, 4.0) > ifd("ifd", 0.5, 1.0)
    assert ifd("ifd_ppl", 3.0, 4.0) < ifd("ifd_ppl", 0.5, 1.0)


def test_a_reply_without_a_prompt_has_an_ifd_of_one():
    assert scored(Counting(), "ifd", [{"text": "one two"}]) == [1.0]
