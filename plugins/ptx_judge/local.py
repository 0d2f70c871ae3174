"""A judge in a model folder, on a runtime of its own, whose verdict is read from its text or probabilities.

With ``read=reply`` it writes its verdict. With ``read=letters`` the log-probability of each possible verdict
is computed. A comparison takes the most likely one; a grade is the expected grade (Liu et al. 2023, G-Eval,
eq. 1). Nothing is sampled then, and every verdict can be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import LanguageModel, ModelRef, Run, Runtime, Score, identity_of
from ptx.files import digest_of
from ptx_judge.config import Local
from ptx_judge.journal import Journal, path_of
from ptx_judge.rubric import GRADES, NAN, PAIR, Request, requests, verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 32  # questions per call of the model; their replies are written to the journal after it
OPENING = "[["


def score(
    run: Run, scorer: Local, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[Score]:
    """Verdicts in order; nan with the status "failed" for a prompt longer than the judge's context."""
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
        lambda: run.say("waiting for another process, which is asking the same judge"),
    ) as kept:
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in kept.replies}
        if missing:
            run.say(
                f"{len(missing)} question{'s' * (len(missing) != 1)} for {judge.path};"
                f" {len(set(keys)) - len(missing)} replies are known"
            )
            ask(run, scorer, judge, missing, kept)
        return [read(kept.replies[key], pair=scorer.compare) for key in keys]


def runtime_of(run: Run, scorer: Local) -> Runtime:
    """The runtime that serves the judge."""
    made: Runtime = run.host.choices["runtime", scorer.runtime].config_type(**scorer.options)
    return made


def ask(run: Run, scorer: Local, judge: ModelRef, missing: dict[str, Request], journal: Journal) -> None:
    """Open the judge and ask it, one chunk at a time."""
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
            # shown and not logged: within a training, a log is a number of that training
            run.console.progress(run.label, {"questions": float(done)}, done, len(missing))
    finally:
        lm.close()


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Slices of :data:`CHUNK` items."""
    yield from (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def text_for(tokenizer: PreTrainedTokenizerBase, request: Request) -> str:
    """The request as the judge reads it: through its chat template.

    If the template has no system role, the user's turn begins with the system part.
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
    """Per prompt the judge's reply, the log-probabilities of its verdicts, or why it was not asked."""
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
    """Per prompt the log-probability of every possible verdict."""
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
