"""The prompts that answers are sampled for."""

import pytest

import ptx_grpo
import ptx_scorers
from ptx import ModelRef, RunConfig, StepError
from ptx.lm.load import load_tokenizer
from ptx.lm.training.rollouts import prompts_for
from ptx_grpo import GRPO
from ptx_scorers import Exact


def test_prompts_that_leave_no_room_are_left_out_before_scorers_are_tried(make_run, make_data, chat_model):
    rows = [{"prompt": "x" * (300 if n < 3 else 20) + str(n), "answer": str(n)} for n in range(12)]
    method = GRPO(rewards=["exact"], max_completion_length=8)
    run = make_run(RunConfig(method=method, scorer={"exact": Exact()}), [ptx_grpo, ptx_scorers])
    data, model = make_data("prompts", rows), ModelRef.of(chat_model)
    kept = prompts_for(run, method, model, data, load_tokenizer(chat_model))
    assert [row["answer"] for row in kept] == [str(n) for n in range(3, 12)]
    assert "1 for references, 0 for those of other prompts (9 prompts)" in run.console.lines[-1]
    with pytest.raises(StepError, match="leave no room for an answer of 250 tokens"):
        prompts_for(run, GRPO(max_completion_length=250), model, data, load_tokenizer(chat_model))
