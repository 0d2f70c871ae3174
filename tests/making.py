"""What the tests of makers share: a model that answers from a script, data, and runs with some scorers."""

from __future__ import annotations

from itertools import count

import pytest

import ptx_hf
import ptx_scorers
from ptx import ModelRef, RunConfig
from ptx.data import open_data
from ptx.files import read_rows, write_rows
from ptx.lm.serving.decoding import Generated
from ptx_hf import HF
from ptx_scorers import Answer

__all__ = ["Scripted", "Words", "model", "numbers_of", "plain_run", "prompts", "scripted"]


class Words:
    """A tokenizer whose tokens are words; with a chat template a conversation is its turns by line."""

    def __init__(self, chat):
        self.chat_template = "one" if chat else None

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": text.split()}

    def apply_chat_template(self, turns, tools=None, tokenize=True, add_generation_prompt=False):
        lines = "".join(f"[{turn['role']}] {turn['content']}[end]\n" for turn in turns)
        return lines + ("[assistant] " if add_generation_prompt else "")


class Scripted:
    """Answers the call with the seed and the place; ``reply(prompt, place, seed)`` may say otherwise."""

    max_length, emulated = 512, ""

    def __init__(self, reply=None, chat=False):
        self.tokenizer = Words(chat)
        self.calls, self.closed = [], 0
        self.reply = reply or (lambda prompt, place, seed: f"{(seed + place) % 7}")

    def generate(self, prompts, max_new_tokens, *, stop=(), temperature=0.0, seed=0):
        self.calls.append((list(prompts), temperature, seed))
        made = [self.reply(prompt, place, seed) for place, prompt in enumerate(prompts)]
        return [
            one if isinstance(one, Generated) else Generated(one, len(one), finished=True) for one in made
        ]

    def close(self):
        self.closed += 1


@pytest.fixture
def scripted(monkeypatch):
    """``scripted(reply, chat)``: every run opens this model."""

    def install(reply=None, chat=False):
        lm = Scripted(reply, chat)
        monkeypatch.setattr("ptx.hooks.run.Run.load", lambda self, model: lm)
        return lm

    return install


@pytest.fixture
def prompts(tmp_path):
    """``prompts(n)``: a data set of n prompts, the answer of each is its number modulo 7."""

    def make(number=10, shape="prompts", rows=None):
        folder = tmp_path / f"data-{shape}-{number}"
        folder.mkdir(exist_ok=True)
        rows = rows or [{"prompt": f"ask {n}", "answer": str(n % 7)} for n in range(number)]
        write_rows(folder / f"{shape}.jsonl", rows)
        return open_data("mine", folder)

    return make


@pytest.fixture
def plain_run(make_run):
    """``plain_run(seed, **scorers)``: a new run on transformers, with the scorer of answers."""
    names = (f"step-{number}" for number in count())

    def make(seed=0, plugins=(), **scorers):
        config = RunConfig(runtime=HF(), scorer={"answer": Answer(), **scorers})
        return make_run(config, [ptx_hf, ptx_scorers, *plugins], next(names), seed)

    return make


@pytest.fixture
def model(tiny_model):
    return ModelRef(tiny_model, "digest")


def numbers_of(run):
    """What the step has logged last."""
    return [event["metrics"] for event in read_rows(run.events) if event["event"] == "log"][-1]
