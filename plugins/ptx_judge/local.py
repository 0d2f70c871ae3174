"""A judge that is a model folder, opened on a runtime of its own: it writes its verdict, or the verdicts'
probabilities are compared.

``letters`` asks how likely each possible verdict is as the next words. For a comparison the likeliest counts;
a grade is the expected one (Liu et al. 2023, G-Eval, eq. 1). Nothing is sampled and nothing can be
unparsable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ptx import LanguageModel, ModelRef, Run, Runtime, Score
from ptx.config import identity_of
from ptx.files import digest_of
from ptx_judge.config import Local
from ptx_judge.journal import Journal, path_of
from ptx_judge.rubric import GRADES, NAN, PAIR, Request, requests, verdict

CHUNK = 32  # questions between two lines of the journal
OPENING = "[["


def score(
    run: Run, scorer: Local, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[Score]:
    """Verdicts in order; a prompt that does not fit into the judge's context is nan with the status
    "failed".
    """
    asked = requests(scorer.asked, prompts, completions, references, pair=scorer.compare)
    judge = ModelRef.of(Path(scorer.model).expanduser())
    setup = {
        "model": judge.digest,
        "runtime": scorer.runtime,
        "read": scorer.read,
        "tokens": scorer.max_new_tokens,
        **scorer.options,
    }
    keys = [
        digest_of([setup, run.device, identity_of(runtime_of(run, scorer)), one.system, one.user])
        for one in asked
    ]
    with Journal(
        path_of(f"local-{digest_of(setup)[:16]}"),
        lambda: run.say("waiting for another process that asks the same judge"),
    ) as kept:
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in kept.replies}
        if missing:
            run.say(
                f"{len(missing)} questions for {judge.path}; {len(set(keys)) - len(missing)} replies are"
                " known"
            )
            ask(run, scorer, judge, missing, kept)
        return [read(kept.replies[key], pair=scorer.compare) for key in keys]


def runtime_of(run: Run, scorer: Local) -> Runtime:
    """The runtime that serves the judge."""
    made: Runtime = run.host.choices["runtime", scorer.runtime].config_type(**scorer.options)
    return made


def ask(run: Run, scorer: Local, judge: ModelRef, missing: dict[str, Request], journal: Journal) -> None:
    """Open the judge and ask, a chunk at a time."""
    lm: LanguageModel = run.host.first(
        "ptx_load", runtime=runtime_of(run, scorer), model=judge, device=run.device
    )
    try:
        done = 0
        for chunk in chunks(list(missing.items())):
            texts = [text_for(lm.tokenizer, request) for _, request in chunk]
            for (key, _), reply in zip(chunk, replies(lm, scorer, texts), strict=True):
                journal.add(key, **reply)
            done += len(chunk)
            run.log({"questions": float(done)}, done, len(missing))
    finally:
        lm.close()


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Pieces of :data:`CHUNK`."""
    yield from (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def text_for(tokenizer: Any, request: Request) -> str:
    """The request as the judge reads it: through its chat template; the system part goes to the user where
    the template has no such role.
    """
    from jinja2 import TemplateError

    if not getattr(tokenizer, "chat_template", None):
        return f"{request.system}\n\n{request.user}\n\n"
    try:
        return str(
            tokenizer.apply_chat_template(request.messages, tokenize=False, add_generation_prompt=True)
        )
    except TemplateError:
        merged = [{"role": "user", "content": f"{request.system}\n\n{request.user}"}]
        return str(tokenizer.apply_chat_template(merged, tokenize=False, add_generation_prompt=True))


def replies(lm: LanguageModel, scorer: Local, texts: list[str]) -> list[dict[str, Any]]:
    """Per prompt what the judge says, its letters' log-probabilities, or why it was not asked."""
    room = lm.max_length - (scorer.max_new_tokens if scorer.read == "reply" else len(OPENING) + 2)
    sizes = [len(lm.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    fits = [text for text, size in zip(texts, sizes, strict=True) if size <= room]
    found: list[Any] = (
        letters(lm, fits, pair=scorer.compare)
        if scorer.read == "letters"
        else lm.generate(fits, scorer.max_new_tokens)
    )
    made = iter(found)
    return [
        (
            {scorer.read: next(made)}
            if size <= room
            else {"failed": f"the prompt has {size} tokens, the judge's context leaves {room}"}
        )
        for size in sizes
    ]


def letters(lm: LanguageModel, texts: list[str], *, pair: bool) -> list[dict[str, float]]:
    """Log-probability of every verdict that the judge could give."""
    names = list(PAIR) if pair else [str(grade) for grade in GRADES]
    found = lm.loglikelihood([(text + OPENING, f"{name}]]") for text in texts for name in names])
    scores = [score for score, _ in found]
    return [
        dict(zip(names, scores[start : start + len(names)], strict=True))
        for start in range(0, len(scores), len(names))
    ]


def read(row: dict[str, Any], *, pair: bool) -> Score:
    """The verdict in a line of the journal."""
    if "failed" in row:
        return Score(NAN, "failed", row["failed"])
    if "letters" not in row:
        return verdict(row["reply"], pair=pair)
    scores: dict[str, float] = row["letters"]
    said = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
    if pair:
        return Score(PAIR[max(scores, key=lambda name: scores[name])], "ok", said)
    top = max(scores.values())
    weights = {float(name): math.exp(value - top) for name, value in scores.items()}
    return Score(sum(grade * weight for grade, weight in weights.items()) / sum(weights.values()), "ok", said)
