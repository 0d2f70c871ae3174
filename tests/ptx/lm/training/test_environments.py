"""Limits, counts and the reading of calls, in TRL's own loop."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from transformers.utils import get_json_schema

import ptx_grpo
import ptx_scorers
from ptx import Choice, Environment, ModelRef, RunConfig, StepError, hookimpl
from ptx.lm.load import load_tokenizer
from ptx.lm.training.environments import Acting, acting_for, limited
from ptx.lm.training.rows import as_dataset
from ptx.lm.training.trainer import make_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_grpo import GRPO
from ptx_tiny.shop_template import write_model

CALL = '<tool_call>{"name": "%s", "arguments": {"a": 3, "b": %s}}</tool_call>'


class Sums:
    """Adds."""

    def reset(self, goal=None, **_):
        self.goal, self.last = goal, None

    def add(self, a: int, b: int) -> int:
        """Adds two numbers.

        Args:
            a: the first
            b: the second
        """
        if b == 0:
            raise ValueError("b is 0")
        if b == 99:
            time.sleep(1)
        self.last = a + b
        return self.last

    async def later(self, a: int) -> int:
        """Adds later.

        Args:
            a: the number
        """
        await asyncio.sleep(a)
        return a

    def get_reward(self) -> float:
        return float(self.last == self.goal)


@dataclass
class Adding(Environment):
    """Sums as an environment."""


class Plugin:
    __name__ = "sums"

    @hookimpl
    def ptx_choices(self):
        return [Choice("environment", "sums", Adding)]

    @hookimpl
    def ptx_environment(self, environment):
        return Sums() if isinstance(environment, Adding) else None


def test_a_tool_that_takes_too_long_has_failed_and_others_are_as_they_were():
    counts = Counter()
    kind = limited(Sums, "sums", 0.05, counts)
    made = kind()
    made.reset(goal=7)
    assert (kind.__name__, made.add(a=3, b=4), made.get_reward()) == ("sums", 7, 1.0)
    assert get_json_schema(made.add) == get_json_schema(Sums().add)
    with pytest.raises(ValueError, match="b is 0"):
        made.add(1, 0)
    with pytest.raises(TimeoutError, match=r"add took longer than 0\.05 seconds"):
        made.add(1, 99)
    with pytest.raises(TimeoutError):
        asyncio.run(made.later(1))
    assert asyncio.run(made.later(0)) == 0
    assert counts == {"calls": 5, "overrun": 2}


@pytest.fixture
def acting(make_run, tmp_path):
    """A GRPO trainer of the embedded model with Sums, whose generations are scripted."""
    write_model(tmp_path / "tools", tmp_path)
    model = ModelRef.of(tmp_path / "tools")
    settings = {"batch_size": 4, "num_generations": 4, "max_completion_length": 120, "max_steps": 1}
    method = GRPO(environment=Adding(seconds=0.1, turns=2), **settings)
    run = make_run(RunConfig(method=method), [ptx_grpo, ptx_scorers, Plugin()])
    tokenizer = load_tokenizer(model.path)
    found = acting_for(run, method, tokenizer)
    args = trl_config(
        run, method, "GRPOConfig", num_generations=4, max_completion_length=120, **found.options()
    )
    rows = [{"prompt": [{"role": "user", "content": "Add 3 and 4."}], "goal": 7}] * 4
    trainer = make_trainer(
        run, "GRPOTrainer", method, model, tokenizer, rows, args, reward_funcs=[], **found.extra()
    )
    found.attach(trainer)
    return SimpleNamespace(trainer=trainer, tokenizer=tokenizer, found=found, rows=as_dataset(rows))


def test_only_the_models_own_tokens_are_trained_and_failures_are_counted(acting):
    first = [CALL % ("add", 4), CALL % ("add", 0), CALL % ("nothing", 4), '<tool_call>{"name": "add", "argu']
    said = iter([first, ["The answer is 7.", "Oh.", "No."]])

    def scripted(prompts, *_, **__):
        return [acting.tokenizer(text + "<|end|>")["input_ids"] for text in next(said)], None

    trainer = acting.trainer
    trainer._generate_single_turn = scripted
    trainer.model.train()
    batch = trainer._generate_and_score_completions(list(acting.rows))
    own = (batch["completion_mask"] * batch["tool_mask"]).bool()
    texts = [
        acting.tokenizer.decode(ids[mask]) for ids, mask in zip(batch["completion_ids"], own, strict=True)
    ]
    assert texts == [
        f"{first[0]}<|end|>The answer is 7.<|end|>",
        f"{first[1]}<|end|>Oh.<|end|>",
        f"{first[2]}<|end|>No.<|end|>",
        f"{first[3]}<|end|>",
    ]
    whole = acting.tokenizer.decode(batch["completion_ids"][0][batch["completion_mask"][0].bool()])
    assert "<|system|>7<|end|>" in whole  # what the tool said is read and not trained
    logged = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    assert logged["rewards/sums/mean"] == pytest.approx(0.25)
    assert logged["tools/call_frequency"] == pytest.approx(0.75)
    assert logged["tools/failure_frequency"] == pytest.approx(2 / 3)
    assert acting.found.counts["unreadable"] == 1
    assert acting.found.counts["replies"] == 7


def test_a_reply_that_is_cut_calls_nothing(acting):
    call = CALL % ("add", 4)
    said = iter([[call + end for end in ("<|end|>", "", " and", "<|end|> and")], ["7.<|end|>"]])

    def scripted(prompts, *_, **__):
        return [acting.tokenizer(text)["input_ids"] for text in next(said)], None

    trainer = acting.trainer
    trainer._generate_single_turn = scripted
    trainer.model.train()
    trainer._generate_and_score_completions(list(acting.rows))
    assert trainer._metrics["train"]["tools/call_frequency"][-1] == pytest.approx(0.25)
    assert acting.found.counts["cut"] == 3
    assert acting.found.counts["unreadable"] == 0


def test_what_a_tool_said_has_no_gradient(acting, monkeypatch):
    said = iter([[CALL % ("add", 4), CALL % ("add", 0), "No.", "Oh."], ["7.", "Hm."]])

    def scripted(prompts, *_, **__):
        return [acting.tokenizer(text + "<|end|>")["input_ids"] for text in next(said)], None

    trainer, kept = acting.trainer, []
    trainer._generate_single_turn = scripted
    trainer.model.train()
    batch = trainer._generate_and_score_completions(list(acting.rows))
    scored = trainer._get_per_token_logps_and_entropies

    def watched(*given, **named):
        found = scored(*given, **named)
        if found[0].requires_grad:
            found[0].retain_grad()
            kept.append(found[0])
        return found

    monkeypatch.setattr(trainer, "_get_per_token_logps_and_entropies", watched)
    trainer.current_gradient_accumulation_steps = 1
    trainer._compute_loss(trainer.model, batch).backward()
    (log_probs,) = kept  # (B, T)
    trained = (batch["completion_mask"] * batch["tool_mask"]).bool()
    of_tools = batch["completion_mask"].bool() & ~trained
    assert of_tools.any()
    assert (log_probs.grad[trained] != 0).all()
    assert (log_probs.grad[~trained] == 0).all()


def test_what_an_environment_knows_of_one_batch_is_gone_in_the_next(acting):
    said = iter([[CALL % ("add", 4)] * 4, ["The answer is 7."] * 4, ["No idea."] * 4])

    def scripted(prompts, *_, **__):
        return [acting.tokenizer(text + "<|end|>")["input_ids"] for text in next(said)], None

    acting.trainer._generate_single_turn = scripted
    acting.trainer.model.train()
    for _ in range(2):
        acting.trainer._generate_and_score_completions(list(acting.rows))
    assert acting.trainer._metrics["train"]["rewards/sums/mean"] == [1.0, 0.0]


def test_a_template_without_tools_is_refused(make_run, chat_model):
    method = GRPO(environment=Adding())
    run = make_run(RunConfig(method=method), [ptx_grpo, Plugin()])
    with pytest.raises(StepError, match="writes no tools"):
        acting_for(run, method, load_tokenizer(chat_model))
    nothing = Acting(run, None)
    assert (nothing.options(), nothing.extra()) == ({}, {})
