"""``make=instruct``: write instructions until there are enough new ones, and answer them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from ptx import DataRef, DataSet, LanguageModel, ModelRef, Run
from ptx.lm.making.answering import drawn, generated, text_of, usable
from ptx.lm.making.chunks import chunk_seed, kept_chunks
from ptx.lm.making.maker import Answering
from ptx.lm.progress import Pace
from ptx.lm.serving.decoding import Generated
from ptx.lm.serving.packages import opened
from ptx_instruct import EVOL, MAGPIE, Instruct
from ptx_instruct.asking import drawn_from, form_of, keeps_form, listed, read, rewriting, unfit
from ptx_instruct.languages import shares
from ptx_instruct.rouge import Pool, words_of

Row = dict[str, Any]


class Made:
    """The instructions that are kept, and how many were left out for which reason."""

    def __init__(self, maker: Instruct, seeds: Sequence[str]) -> None:
        self.maker, self.pool = maker, Pool(seeds, maker.rouge)
        self.texts: list[str] = []
        self.counts: Counter[str] = Counter(
            dict.fromkeys(("asked", "unfinished", "unfit", "broken", "duplicates", "near", "tokens"), 0)
        )

    @property
    def enough(self) -> bool:
        """Whether there are as many as are wanted."""
        return len(self.texts) >= self.maker.count

    def take(self, row: Row) -> str:
        """Keep the instruction of a row, or count why not; the text that is kept, else empty."""
        self.counts["asked"] += 1
        self.counts["tokens"] += row["tokens"]
        why = row["fault"] or self.pool.refuses(row["text"], row.get("parent", ""))
        if why:
            self.counts[why] += 1
            return ""
        if self.enough:
            return ""
        self.texts.append(row["text"])
        self.pool.add(row["text"])
        return str(row["text"])


def instruct(run: Run, maker: Instruct, model: ModelRef, data: DataSet | None) -> DataRef:
    """Write the instructions, with the model's answers where they are wanted."""
    rows = data.rows("prompts")[: maker.limit] if data is not None and maker.needs else []
    seeds = list(dict.fromkeys(text_of(row["prompt"]) for row in rows))
    made = Made(maker, seeds)
    with opened(run, run.models.get("model", model)) as lm:
        if maker.by == EVOL:
            _evolve(run, lm, made, seeds)
        else:
            _collect(run, lm, made, seeds)
    if not made.enough and maker.by != EVOL:
        run.say(
            f"{len(made.texts)} of {maker.count} instructions are new after {made.counts['asked']} attempts;"
            " more come of make.tries or a higher make.temperature"
        )
    kept, counts = _answered(run, maker, model, made.texts)
    made.counts.update(counts)
    numbers = {name: float(value) for name, value in made.counts.items()}
    numbers |= {"rows_in": float(len(seeds))} if seeds else {}
    numbers["acceptance"] = len(kept) / max(1, made.counts["asked"])
    run.log({**numbers, "distinct": distinct(made.texts), **shares(made.texts)}, 1, 1)
    return DataRef.write(run.folder / "data", {maker.keep: kept})


def _collect(run: Run, lm: LanguageModel, made: Made, seeds: Sequence[str]) -> None:
    """Ask until there are enough, at most ``tries`` times as often as instructions are wanted."""
    maker, pace = made.maker, Pace(run)
    most = maker.tries * maker.count
    writing = _magpie(lm, maker) if maker.by == MAGPIE else _self_instruct(lm, made, seeds)

    def work(place: int) -> list[Row]:
        size = min(maker.chunk, most - place * maker.chunk)
        return writing(size, chunk_seed(run.seed, place))

    chunks = kept_chunks(run, "instructions", work)
    while not made.enough and made.counts["asked"] < most:
        for row in next(chunks):
            made.take(row)
        pace.log({"instructions": float(len(made.texts))}, min(len(made.texts), maker.count), maker.count)


def _magpie(lm: LanguageModel, maker: Instruct) -> Callable[[int, int], list[Row]]:
    form = form_of(lm)

    def write(size: int, seed: int) -> list[Row]:
        texts = [form.before] * size
        replies = generated(lm, maker, texts, seed, stop=[form.end])
        rows = [_row(maker, one, str(one).strip()) for one in replies]
        for row in rows:
            if not row["fault"] and not keeps_form(lm, form, row["text"]):
                row["fault"] = "broken"
        return rows

    return write


def _self_instruct(lm: LanguageModel, made: Made, seeds: Sequence[str]) -> Callable[[int, int], list[Row]]:
    def write(size: int, seed: int) -> list[Row]:
        shown = [
            drawn_from(chunk_seed(seed, place), seeds, made.texts, made.maker.shown) for place in range(size)
        ]
        asked = [listed(lm, some) for some in shown]
        replies = generated(lm, made.maker, [text for text, _ in asked], seed, stop=asked[0][1])
        return [_row(made.maker, one, read(str(one))) for one in replies]

    return write


def _evolve(run: Run, lm: LanguageModel, made: Made, seeds: Sequence[str]) -> None:
    """Rewrite every seed ``rounds`` times; what is of no use is tried again from the text before it."""
    maker, pace, present = made.maker, Pace(run), list(seeds)
    parts = list(_slices(len(seeds), maker.chunk))

    def work(place: int) -> list[Row]:
        part, seed = parts[place % len(parts)], chunk_seed(run.seed, place)
        tasks = [present[at] for at in part]
        asked = [rewriting(lm, task, chunk_seed(run.seed, place // len(parts))) for task in tasks]
        replies = generated(lm, maker, asked, seed)
        found = [_row(maker, one, read(str(one))) for one in replies]
        return [row | {"parent": task} for row, task in zip(found, tasks, strict=True)]

    chunks = kept_chunks(run, "instructions", work)
    total = maker.rounds * len(parts)
    for place in range(total):
        if made.enough:
            break
        for at, row in zip(parts[place % len(parts)], next(chunks), strict=True):
            present[at] = made.take(row) or present[at]
        pace.log({"instructions": float(len(made.texts))}, place + 1, total)


def _slices(total: int, size: int) -> Iterator[range]:
    yield from (range(start, min(start + size, total)) for start in range(0, total, size))


def _row(maker: Instruct, one: Generated, text: str) -> Row:
    """A candidate as a checkpoint holds it, with what is wrong with it by itself."""
    fault = "unfinished" if not one.finished else "unfit" if unfit(maker.by, text) else ""
    return {"text": text, "tokens": one.tokens, "fault": fault}


def _answered(
    run: Run, maker: Instruct, model: ModelRef, texts: Sequence[str]
) -> tuple[list[Row], dict[str, int]]:
    """The rows of the instructions, with the model's answers where messages are wanted."""
    if maker.keep == "prompts":
        return [{"prompt": text} for text in texts], {}
    asked = [{"prompt": text} for text in texts]
    settings = Answering(maker.model, maker.answer_temperature, maker.max_new_tokens, chunk=maker.chunk)
    answers = [one for (one,) in drawn(run, settings, model, asked, 1, "answers")]
    made = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": str(one)}]}
        for text, one in zip(texts, answers, strict=True)
        if usable(one)
    ]
    tokens = sum(one.tokens for one in answers)
    return made, {"unanswered": len(texts) - len(made), "tokens": tokens}


def distinct(texts: Sequence[str]) -> float:
    """The share of different pairs of neighbouring words among all (distinct-2, Li et al. 2016)."""
    pairs = [pair for text in texts for pair in pairwise(words_of(text))]
    return len(set(pairs)) / len(pairs) if pairs else 1.0
