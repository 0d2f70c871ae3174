"""Answers of a model to the prompts of a data set, each with its length and whether it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.data.conversations import as_text
from ptx.errors import StepError
from ptx.hooks.run import LanguageModel, Run
from ptx.lm.making.chunks import in_chunks
from ptx.lm.making.maker import Answering
from ptx.lm.serving.decoding import Generated
from ptx.lm.serving.packages import opened
from ptx.lm.training.rows import prompt_turns
from ptx.records import ModelRef

Row = dict[str, Any]


def prompt_text(lm: LanguageModel, row: Row) -> str:
    """The prompt of a row as the model reads it: through its chat template, or as it is if it has none."""
    if getattr(lm.tokenizer, "chat_template", None):
        options = row.get("chat_template_kwargs") or {}
        return str(
            lm.tokenizer.apply_chat_template(
                prompt_turns(row),
                tools=row.get("tools"),
                tokenize=False,
                add_generation_prompt=True,
                **options,
            )
        )
    if isinstance(row["prompt"], str):
        return row["prompt"]
    raise StepError("the prompts are conversations, and the model has no chat template to write them")


def drawn(
    run: Run, maker: Answering, model: ModelRef, rows: Sequence[Row], n: int, what: str = "prompts"
) -> list[list[Generated]]:
    """The n answers to every row by the maker's model; after a kill only the missing ones are drawn.

    ``what`` names the work: in the progress, and in the file that keeps what is done.
    """

    def work(part: Sequence[Row], seed: int) -> list[Row]:
        groups = answer(lm, maker, part, n, seed)
        return [{"answers": [[str(one), one.tokens, one.finished] for one in group]} for group in groups]

    with opened(run, run.models.get("model", model)) as lm:
        found = in_chunks(run, what, rows, maker.chunk, work)
    return [
        [Generated(text, tokens, finished=finished) for text, tokens, finished in row["answers"]]
        for row in found
    ]


def answer(
    lm: LanguageModel, maker: Answering, rows: Sequence[Row], n: int, seed: int
) -> list[list[Generated]]:
    """The n answers to every row.

    The first answers of all rows come first, then the second ones: so the answers of n=2 are the first two of
    those of n=4.
    """
    known = generated(lm, maker, [prompt_text(lm, row) for row in rows] * n, seed)
    return [known[place :: len(rows)] for place in range(len(rows))]


def generated(
    lm: LanguageModel, maker: Answering, texts: Sequence[str], seed: int, *, stop: Sequence[str] = ()
) -> list[Generated]:
    """The continuation of each text, with the settings of the maker."""
    if not texts:
        return []
    made = lm.generate(texts, maker.max_new_tokens, stop=stop, temperature=maker.temperature, seed=seed)
    return [_known(lm, text, maker.max_new_tokens) for text in made]


def _known(lm: LanguageModel, text: str, most: int) -> Generated:
    """The answer of a runtime that does not say whether it ended: a shorter one than allowed did."""
    if isinstance(text, Generated):
        return text
    tokens = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    return Generated(text, tokens, finished=tokens < most)


def reply(row: Row, text: str) -> Any:
    """An answer in the form of its prompt: a text, or a list of turns."""
    return text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]


def text_of(answer: Any) -> str:
    """An answer, a text or turns, as one text."""
    return as_text(answer)


def beside(row: Row) -> Row:
    """What stays with a prompt: the reference, the tools and the options of the template."""
    return {
        name: row[name] for name in ("answer", "tools", "chat_template_kwargs") if row.get(name) is not None
    }


def answered(row: Row) -> Row:
    """A conversation or completion as ``prompt`` and ``chosen``; empty where it holds nothing but an answer.

    What stands beside it stays.
    """
    if "completion" in row:
        return {"prompt": row["prompt"], "chosen": row["completion"], **beside(row)}
    turns = row["messages"]
    return {"prompt": turns[:-1], "chosen": turns[-1:], **beside(row)} if len(turns) > 1 else {}


def usable(one: Generated) -> bool:
    """Whether an answer may be learnt: it ended, and says something."""
    return one.finished and bool(one.strip())
