"""``make=critique``: answers, then for each round a critique and a revision, and the rows that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ptx import DataRef, DataSet, LanguageModel, ModelRef, Run
from ptx.lm.making.answering import beside, drawn, generated, prompt_text, reply, text_of, usable
from ptx.lm.making.chunks import in_chunks
from ptx.lm.serving.packages import opened
from ptx.lm.training.rows import prompt_turns
from ptx_critique import Critique
from ptx_critique.constitution import Constitution, Principle, Turns, read
from ptx_critique.leaks import cleaned, leaks

Row = dict[str, Any]
COUNTS = ("unfinished", "too_long", "stripped", "leaked", "unchanged", "tokens")


@dataclass
class Work:
    """An answer under revision: its present text, the principles that it was revised by, what happened."""

    row: Row
    first: str
    answer: str
    names: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    stopped: bool = False

    def count(self, name: str, by: int = 1) -> None:
        """Note that something happened."""
        self.counts[name] = self.counts.get(name, 0) + by

    def stop(self, why: str) -> None:
        """End the work on this answer; what it has been revised to before stays."""
        self.count(why)
        self.stopped = True


def critique(run: Run, maker: Critique, model: ModelRef, data: DataSet) -> DataRef:
    """Write the revisions of the first prompts as messages, and those of the others as pairs."""
    found = data.rows(data.require(maker.needs, "make=critique"))[: maker.limit]
    rows = list({text_of(row["prompt"]): row for row in reversed(found)}.values())[::-1]
    constitution = read(maker.file)
    run.say(f"{len(rows)} answers, {maker.rounds} times criticised and revised")
    firsts = [one for (one,) in drawn(run, maker, model, rows, 1, "answers")]
    answered = [(row, str(one)) for row, one in zip(rows, firsts, strict=True) if usable(one)]
    critic = run.models.get("critic", run.models.get("model", model))
    with opened(run, critic) as lm:
        revised = in_chunks(
            run,
            "revisions",
            answered,
            maker.chunk,
            lambda part, seed: _revisions(run, maker, lm, constitution, part, seed),
        )
    made = _made(maker, len(rows), {text_of(row["prompt"]): place for place, row in enumerate(rows)}, revised)
    counts = {name: sum(row["counts"].get(name, 0) for row in revised) for name in COUNTS}
    counts["unfinished"] += sum(not one.finished for one in firsts)
    counts["tokens"] += sum(one.tokens for one in firsts)
    numbers = {"rows_in": len(found), "duplicates": len(found) - len(rows), **counts}
    numbers |= {shape: len(made[shape]) for shape in ("messages", "pairs") if shape in made}
    numbers["rows_out"] = sum(numbers.get(shape, 0) for shape in ("messages", "pairs"))
    run.log({name: float(value) for name, value in numbers.items()}, len(rows), len(rows))
    return DataRef.write(run.folder / "data", made)


def _revisions(
    run: Run,
    maker: Critique,
    lm: LanguageModel,
    constitution: Constitution,
    part: Sequence[tuple[Row, str]],
    seed: int,
) -> list[Row]:
    """The answers after all rounds, as rows that a checkpoint can hold."""
    works = [Work(row, first, first) for row, first in part]
    drawn_ = [constitution.drawn(run.seed, text_of(one.row["prompt"]), maker.rounds) for one in works]
    for turn in range(maker.rounds):
        going = [(one, names[turn]) for one, names in zip(works, drawn_, strict=True) if not one.stopped]
        _round(maker, lm, constitution.examples, going, seed + 2 * turn)
    for one in works:
        one.count("unchanged", int(bool(one.names) and one.answer.strip() == one.first.strip()))
    return [
        {"row": one.row, "first": one.first, "revised": one.answer, "names": one.names, "counts": one.counts}
        for one in works
    ]


def _round(
    maker: Critique, lm: LanguageModel, examples: Turns, going: list[tuple[Work, Principle]], seed: int
) -> None:
    """One critique and one revision of every answer that is still worked on."""
    chats = [
        [*examples, *prompt_turns(one.row), _said("assistant", one.answer), _said("user", principle.critique)]
        for one, principle in going
    ]
    critiques = _replies(maker, lm, [one for one, _ in going], chats, seed)
    chats = [
        [*chat, _said("assistant", said), _said("user", principle.revision)]
        for chat, said, (_, principle) in zip(chats, critiques, going, strict=True)
    ]
    revisions = _replies(maker, lm, [one for one, _ in going], chats, seed + 1)
    for (one, principle), said, text in zip(going, critiques, revisions, strict=True):
        if not one.stopped:
            _take(one, principle, said, text)


def _replies(
    maker: Critique, lm: LanguageModel, works: list[Work], chats: list[Turns], seed: int
) -> list[str]:
    """A reply to each chat; work whose chat is too long for the model, or whose reply does not end, stops."""
    texts = [
        "" if one.stopped else prompt_text(lm, {"prompt": chat, **beside(one.row)})
        for one, chat in zip(works, chats, strict=True)
    ]
    for one, text in zip(works, texts, strict=True):
        size = len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
        if not one.stopped and size + maker.max_new_tokens > lm.max_length:
            one.stop("too_long")
    asked = [text for one, text in zip(works, texts, strict=True) if not one.stopped]
    made = iter(generated(lm, maker, asked, seed))
    replies = []
    for one in works:
        said = None if one.stopped else next(made)
        if said is not None:
            one.count("tokens", said.tokens)
            if not usable(said):
                one.stop("unfinished")
        replies.append(str(said or ""))
    return replies


def _take(one: Work, principle: Principle, said: str, text: str) -> None:
    """Take over a revision, unless it is empty or still holds what it was asked for."""
    answer = cleaned(text)
    one.count("stripped", int(answer != text.strip()))
    known = (text_of(one.row["prompt"]), one.answer)
    if not answer or leaks(answer, (said, principle.critique, principle.revision), known):
        one.stop("leaked")
        return
    one.answer = answer
    one.names.append(principle.name)


def _made(maker: Critique, total: int, places: dict[str, int], revised: list[Row]) -> dict[str, list[Row]]:
    """The rows by shape: the first prompts are for messages, the others for pairs."""
    border = round(maker.share * total)
    made: dict[str, list[Row]] = {shape: [] for shape in maker.gives("prompts")}
    for one in revised:
        row = one["row"]
        noted = {"principles": ", ".join(one["names"]), **beside(row)}
        if places[text_of(row["prompt"])] < border:
            if one["names"]:
                turns = [*prompt_turns(row), _said("assistant", one["revised"])]
                made["messages"].append({"messages": turns, **noted})
            continue
        made["prompts"].append({"prompt": row["prompt"], **beside(row)})
        if one["names"] and one["revised"].strip() != one["first"].strip():
            sides = {"chosen": reply(row, one["revised"]), "rejected": reply(row, one["first"])}
            made["pairs"].append({"prompt": row["prompt"], **sides, **noted})
    return made


def _said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}
