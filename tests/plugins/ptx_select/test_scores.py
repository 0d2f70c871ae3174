"""The numbers of rows: what counts as the reply, and both definitions of IFD."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

import ptx_hf
from ptx import ModelRef, RunConfig
from ptx.lm.serving.packages import opened
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


def plain_losses(folder, pairs):
    """The mean loss of the second text after the first, by transformers alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    found = []
    for context, reply in pairs:
        before, after = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (context, reply))
        ids = torch.tensor([[*(before or [tokenizer.bos_token_id]), *after]])
        with torch.no_grad():
            log_probabilities = model(ids).logits.log_softmax(-1)[0, -len(after) - 1 : -1]
        found.append(-float(log_probabilities[range(len(after)), after].mean()))
    return found


def test_both_definitions_are_what_transformers_alone_computes_whatever_the_order(make_run, chat_model):
    run = make_run(RunConfig(runtime=ptx_hf.HF()), [ptx_hf])
    rows = [
        {"messages": [ASKED, {"role": "assistant", "content": text}]} for text in ("ten", "it is 11", "no")
    ]
    with opened(run, ModelRef.of(chat_model)) as lm:
        found = {by: scored(lm, by, rows) for by in ("ifd", "ifd_ppl")}
        back = scored(lm, "ifd", rows[::-1])[::-1]
        contexts = [lm.tokenizer.apply_chat_template([ASKED], tokenize=False, add_generation_prompt=True)] * 3
    replies = [row["messages"][1]["content"] for row in rows]
    given = plain_losses(chat_model, list(zip(contexts, replies, strict=True)))
    alone = plain_losses(chat_model, [("", reply) for reply in replies])
    ratios = [one / other for one, other in zip(given, alone, strict=True)]
    assert found["ifd"] == pytest.approx(ratios, rel=1e-4)
    perplexities = [math.exp(one - other) for one, other in zip(given, alone, strict=True)]
    assert found["ifd_ppl"] == pytest.approx(perplexities, rel=1e-4)
    assert back == pytest.approx(found["ifd"], rel=1e-5)
