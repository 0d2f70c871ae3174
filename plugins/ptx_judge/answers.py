"""A model's answers: generated once per model, runtime, questions and decoding, and kept in the store.

Twenty variants may be compared with one baseline; the first run generates the baseline's answers and the
others read them. The baseline answers on the run's own runtime, as the core hands it over. If that runtime
takes packages, a model folder that is named instead (``against``) is exported first. The package is a product
of the store too; equal packages have the same digest and share their answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import LanguageModel, ModelRef, Run
from ptx.files import digest_of, read_json, write_json
from ptx.lm.evaluation.ask import Reply
from ptx.lm.serving.packages import exported, part, weights
from ptx_judge.config import Judge
from ptx_judge.questions import Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VERSION = 2  # of the prompt's form and of the file's


def answers(
    run: Run,
    config: Judge,
    model: ModelRef,
    opened: Callable[[], LanguageModel],
    questions: Sequence[Question],
) -> list[Reply]:
    """The model's answers, in order; ``opened`` is only called if the store does not have them yet."""

    def build(folder: Path) -> None:
        write_json(
            folder / "answers.json",
            [[reply, reply.seconds] for reply in generate(run, config, opened(), questions)],
        )

    folder = run.product("answers", ingredients(run, config, model, questions), build)
    return [Reply(text, seconds) for text, seconds in read_json(folder / "answers.json")]


def ingredients(run: Run, config: Judge, model: ModelRef, questions: Sequence[Question]) -> dict[str, Any]:
    """Everything that decides the answers."""
    decoding = {"max_new_tokens": config.max_new_tokens, "temperature": config.temperature}
    return {
        "version": VERSION,
        "model": weights(model),
        "runtime": part(run, run.config.runtime),
        "decode": part(run, run.config.decode),
        "device": run.device,
        "questions": digest_of([question.text for question in questions]),
        "decoding": decoding | ({"seed": config.seed} if config.temperature else {}),
    }


def generate(run: Run, config: Judge, lm: LanguageModel, questions: Sequence[Question]) -> list[Reply]:
    """Generate the answers; each gets an equal share of the seconds."""
    run.say(f"answering {len(questions)} question{'s' * (len(questions) != 1)}")
    prompts = [prompt_for(lm.tokenizer, question.text) for question in questions]
    room = lm.max_length - config.max_new_tokens
    if long := sum(
        len(lm.tokenizer(prompt, add_special_tokens=False)["input_ids"]) > room for prompt in prompts
    ):
        run.say(
            f"{long} questions are longer than the {room} tokens that the context leaves beside the answer;"
            " their beginning is cut off"
        )
    began = time.perf_counter()
    texts = lm.generate(prompts, config.max_new_tokens, temperature=config.temperature, seed=config.seed)
    share = (time.perf_counter() - began) / len(prompts)
    return [Reply(text.strip(), share) for text in texts]


def prompt_for(tokenizer: PreTrainedTokenizerBase, question: str) -> str:
    """The question as the model reads it: through its chat template, or unchanged if it has none."""
    if not getattr(tokenizer, "chat_template", None):
        return question
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
    )


def of_other(run: Run, config: Judge, other: ModelRef, questions: Sequence[Question]) -> list[Reply]:
    """The answers of the model to compare with, on the run's runtime."""
    model = exported(run, other) if run.config.runtime.exports and other.kind != "package" else other
    with ExitStack() as held:

        def opened() -> LanguageModel:
            run.say("the other model answers, once for all runs that are compared with it")
            return run.decoding(held.enter_context(run.lend(model)))

        return answers(run, config, model, opened, questions)
