"""Ask the questions, check the replies part by part, and make metrics and rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ptx import Better, Evaluation, LanguageModel, Metric, Run
from ptx.lm.evaluation.ask import ask, seconds_of
from ptx.lm.evaluation.equality import ballots
from ptx.lm.evaluation.rates import bounds, rate, unscored
from ptx.stats.items import latency_column
from ptx_reliability import Reliability
from ptx_reliability.formats import wrong_form, wrong_json
from ptx_reliability.grounded import citations
from ptx_reliability.instructions import FETCH, LEVELS, checked
from ptx_reliability.questions import Question, counts, questions_of

HALLUCINATION, SUPPORTED, ABSTAINED = (
    f"reliability/{name}" for name in ("hallucination_rate", "supported_rate", "abstention_rate")
)
CITED, CITATION = "reliability/citation_rate", "reliability/citation_correctness"
FORMAT = "reliability/format_valid_rate"
INSTRUCTIONS = "reliability/instructions"
CONSISTENCY, MAJORITY, SINGLE = (
    f"reliability/{name}" for name in ("self_consistency", "majority_accuracy", "sample_accuracy")
)
UNSCORED = "reliability/unscored_rate"
BETTER: dict[str, Better] = {
    HALLUCINATION: "lower",
    SUPPORTED: "higher",
    ABSTAINED: "lower",
    CITED: "higher",
    CITATION: "higher",
    FORMAT: "higher",
    CONSISTENCY: "higher",
    MAJORITY: "higher",
    SINGLE: "higher",
}
YES = 0.5  # a scorer's score from here on counts as yes
SHOWN = 4000  # characters of a prompt or a reply that a row keeps

#: name of a scorer, prompts, replies, references -> a score per reply
Score = Callable[[str, list[str], list[str], list[str | None]], list[float]]
Row = dict[str, Any]


def evaluate(run: Run, evaluator: Reliability, lm: LanguageModel | None) -> Evaluation:
    """Ask every question once, those with an answer k more times, and check the replies."""
    assert lm is not None  # Reliability.opens_model
    questions = questions_of(evaluator)
    missing = [part for part, count in counts(questions) if not count]
    missing += ["self-consistency"] if evaluator.samples == 0 and "self-consistency" not in missing else []
    if missing:
        run.say(f"not measured, because no question has the columns for it: {', '.join(missing)}")
    replies = ask(run, lm, [question.turns for question in questions], evaluator.max_new_tokens)
    rows = [
        new_row(question, reply, sampled=evaluator.samples > 0)
        for question, reply in zip(questions, replies, strict=True)
    ]
    answered = [
        (question, row) for question, row in zip(questions, rows, strict=True) if row["status"] == "ok"
    ]
    check_support(evaluator, run.score, answered)
    check_citations(evaluator, run.score, answered)
    for question, row in answered:
        check_format(question, row)
        check_instructions(question, row)
    if lost := sum("punkt" in row["status"] for row in rows):
        run.say(
            f"{lost} questions have no score, because their instructions need nltk's punkt_tab, which is not"
            f" installed; get it with: {FETCH}"
        )
    if evaluator.samples:
        fitting = [pair for pair in zip(questions, rows, strict=True) if pair[1]["status"] != "too long"]
        check_consistency(run, evaluator, lm, fitting)
    metrics = measured(rows)
    return Evaluation(
        metrics, [row | {"prompt": row["prompt"][:SHOWN], "output": row["output"][:SHOWN]} for row in rows]
    )


def new_row(question: Question, reply: str | None, *, sampled: bool) -> Row:
    """The row of a question before any check."""
    status = "too long" if reply is None else "empty" if not reply.strip() else "ok"
    prompt = "\n".join(turn["content"] for turn in question.turns)
    asked_for = {
        "prompt": prompt,
        "output": reply or "",
        "target": question.answer or "",
        "referenced": question.has_reference,
    }
    scores = dict.fromkeys(due(question, sampled=sampled), math.nan)
    return {
        "item": question.id,
        "scores": scores,
        "segments": dict(question.segments),
        "status": status,
        **asked_for,
    } | latency_column(seconds_of(reply))


def due(question: Question, *, sampled: bool) -> list[str]:
    """The scores that a question should have; they start as nan, which stays if one cannot be given."""
    names = [HALLUCINATION, SUPPORTED, ABSTAINED] if question.has_reference else []
    names += [CITED, CITATION] if question.sources else []
    names += [CONSISTENCY, MAJORITY, SINGLE] if question.answer is not None and sampled else []
    names += [FORMAT] if question.schema is not None or question.pattern is not None else []
    return names + (
        [f"{INSTRUCTIONS}/{level}" for level in LEVELS if level.startswith("prompt")]
        if question.instructions
        else []
    )


def check_support(config: Reliability, score: Score, answered: Sequence[tuple[Question, Row]]) -> None:
    """Fill in whether each reply is supported, unsupported or an abstention.

    Support is decided by the row's answer, or by all its sources together if it has no answer.
    """
    part = [(question, row) for question, row in answered if question.has_reference]
    declined = asked(score, config.abstention, part, [None] * len(part))
    by_answer = asked(score, config.support, part, [question.answer for question, _ in part])
    by_source = asked(score, config.grounding, part, ["\n".join(q.sources.values()) or None for q, _ in part])
    for (question, row), declines, right, held in zip(part, declined, by_answer, by_source, strict=True):
        supports = right if question.answer is not None else held
        if math.isnan(declines) or (declines < YES and question.answerable and math.isnan(supports)):
            row["status"] = "unscorable"
            continue
        verdict = (
            "abstained"
            if declines >= YES
            else "supported"
            if question.answerable and supports >= YES
            else "unsupported"
        )
        row["verdict"] = verdict
        wrong_names = {"abstained": ABSTAINED, "supported": SUPPORTED, "unsupported": HALLUCINATION}
        row["scores"] |= {name: float(word == verdict) for word, name in wrong_names.items()}


def asked(
    score: Score, name: str, part: Sequence[tuple[Question, Row]], references: list[str | None]
) -> list[float]:
    """A scorer's scores of the replies of a part."""
    if not part:
        return []
    return score(name, [row["prompt"] for _, row in part], [row["output"] for _, row in part], references)


def check_citations(config: Reliability, score: Score, answered: Sequence[tuple[Question, Row]]) -> None:
    """Fill in whether each answer cites, and the share of its citations that are right.

    A citation is right if its source exists and supports the sentence.
    """
    part = [
        (question, row)
        for question, row in answered
        if question.sources and row.get("verdict") != "abstained"
    ]
    for question, row in part:
        found = citations(row["output"])
        row["scores"][CITED] = float(bool(found))
        if not found:
            continue
        if question.cites:
            right = [float(name in question.cites) for _, name in found]
        else:
            texts = [question.sources.get(name) for _, name in found]
            scores = score(
                config.grounding, [row["prompt"]] * len(found), [sentence for sentence, _ in found], texts
            )
            right = [0.0 if text is None else value for text, value in zip(texts, scores, strict=True)]
        known = [float(value >= YES) for value in right if not math.isnan(value)]
        row["citations"] = [name for _, name in found]
        if known:
            row["scores"][CITATION] = math.fsum(known) / len(known)
        else:
            row["status"] = "unscorable"


def check_format(question: Question, row: Row) -> None:
    """Fill in whether the reply has the required form."""
    wrong = []
    if question.schema is not None:
        wrong.append(wrong_json(row["output"], question.schema, question.place))
    if question.pattern is not None:
        wrong.append(wrong_form(row["output"], question.pattern, question.place))
    if wrong:
        row["scores"][FORMAT] = float(not any(wrong))
        row["wrong_format"] = next(filter(None, wrong), "")


def check_instructions(question: Question, row: Row) -> None:
    """Fill in lm-eval's four IFEval scores."""
    if question.instructions is None:
        return
    found = checked(question.instructions, row["output"])
    if found is None:
        row["status"] = "needs punkt"
        return
    row["instructions"] = {
        "ids": question.instructions["instruction_id_list"],
        **{level: found[level] for level in LEVELS},
    }
    row["scores"] |= {
        f"{INSTRUCTIONS}/{level}": float(found[level]) for level in LEVELS if level.startswith("prompt")
    }


def check_consistency(
    run: Run, config: Reliability, lm: LanguageModel, fitting: Sequence[tuple[Question, Row]]
) -> None:
    """Sample every question with an answer several times and fill in the scores of :func:`agreeing`."""
    part = [(question, row) for question, row in fitting if question.answer is not None]
    if not part:
        return
    chats = [question.turns for question, _ in part for _ in range(config.samples)]
    made = [
        reply or "" for reply in ask(run, lm, chats, config.max_new_tokens, temperature=config.temperature)
    ]
    references = [question.answer for question, _ in part for _ in range(config.samples)]
    right = run.score(
        config.support, [row["prompt"] for _, row in part for _ in range(config.samples)], made, references
    )
    for place, (_, row) in enumerate(part):
        mine = slice(place * config.samples, (place + 1) * config.samples)
        row["scores"] |= agreeing(made[mine], right[mine])
        row["samples"] = [reply[:SHOWN] for reply in made[mine]]


def agreeing(replies: Sequence[str], right: Sequence[float]) -> dict[str, float]:
    """The scores of one question's samples: self-consistency, and whether majority and samples are right.

    A majority that the scorer could not judge has no score.
    """
    votes = ballots(replies)
    counted = Counter(votes)
    most = max(counted.values())
    leader = next(place for place, one in enumerate(votes) if counted[one] == most)
    scores = {CONSISTENCY: most / len(votes), MAJORITY: right[leader], SINGLE: math.fsum(right) / len(right)}
    return {name: value for name, value in scores.items() if not math.isnan(value)}


def measured(rows: Sequence[Row]) -> list[Metric]:
    """The rates of every part that the questions allow, and the share without a score."""
    metrics = [metric for name, better in BETTER.items() for metric in rate(name, rows, better)]
    for level in LEVELS:
        metrics += rate(
            f"{INSTRUCTIONS}/{level}",
            rows if level.startswith("prompt") else by_instruction(rows, level),
            "higher",
        )
    return [
        *metrics,
        *unscored(UNSCORED, rows),
        *bounds(HALLUCINATION, [row for row in rows if row["referenced"]], "lower"),
    ]


def by_instruction(rows: Sequence[Row], level: str) -> list[Row]:
    """A row per instruction, those of one question in a cluster, for lm-eval's mean over instructions."""
    return [
        {
            "item": f"{row['item']}:{place}",
            "cluster": row["item"],
            "scores": {f"{INSTRUCTIONS}/{level}": float(kept)},
            "segments": row["segments"],
        }
        for row in rows
        if "instructions" in row
        for place, kept in enumerate(row["instructions"][level])
    ]
