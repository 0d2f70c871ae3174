"""Which method fits data, a model and a machine: the field's decision table, as rules over plain facts.

Each rule says why it holds. The order of the advice is the order in which to try: what needs the least first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ptx.data import DataSet
from ptx.data.findings.columns import graded_by
from ptx.data.findings.suspect import texts_of

#: what is wanted most -> what that means
GOALS = {
    "quality": "the best answers",
    "small": "a small model",
    "fast": "a fast model",
    "safe": "harmful requests are refused, and harmless ones are not",
    "keep": "what the model can do already is not forgotten",
    "variants": "many variants of one base, served together",
}
#: goal -> what to mind for it
NOTES = {
    "safe": "to keep it safe: eval=[safety] with harmful and harmless prompts, before and after",
    "small": "to make it small: add -m 'compress=[],[gptq],[sparsegpt]'; eval=[latency] measures the size",
    "fast": "to make it fast: add -m runtime=hf,onnx,gguf; each is measured as it would serve the model",
    "keep": "to keep what it can: eval=[bench,forgetting] measures before and after; a lower rank and a lower"
    " method.learning_rate change less, and general rows among yours remind it",
    "variants": "to serve many variants: each stays a small adapter folder beside one base, and runtime=vllm"
    " serves them together (runtime.adapters={legal: ./legal}); merge one that is served alone, for latency",
}
#: goal -> what the sweep that shows it varies
VARIED = {
    "small": (
        "to make it small: as it is, in 4 bits, and with half of its weights zero, in one report",
        "compress=[],[gptq],[sparsegpt]",
    ),
    "fast": ("to make it fast: on three runtimes, in one report", "runtime=hf,onnx,gguf"),
}
FEW, MANY = 1_000, 50_000  # rows
LOW_RANK = 4  # of an adapter that should change little; 8 is the default
ENOUGH = 10_000  # pairs from which a reward model is learnt
LONGER = 0.65  # share of pairs whose chosen side is the longer one, from which on length is a shortcut
SEEN = 2_000  # rows that are looked at
SHORT = 40  # characters of a reference that is compared as it stands
#: what ends in a value that a program can compare: 42, 3/4, \\boxed{x}, #### 7
CHECKABLE = re.compile(r"(?:####\s*\S+|\\boxed\{.+\}|(?:^|\s)[-+$]?\d[\d,./]*%?)\s*\.?\s*$")


@dataclass(frozen=True)
class Facts:
    """What the advice follows from."""

    shapes: tuple[str, ...]
    native: tuple[str, ...]
    rows: int
    checkable: float = 0.0  # share of the references that a program can compare
    longer: float | None = None  # share of the pairs whose chosen side is longer
    graded: str = ""  # the column that grades several replies to one prompt
    tools: bool = False  # whether rows define tools or call them
    parameters: int | None = None
    quantised: bool = False
    gpu_bytes: int = 0  # of the largest GPU; 0: none
    goal: str = "quality"


@dataclass(frozen=True)
class Advice:
    """One way to train, or what comes before: its words, why, and the command that takes them."""

    words: tuple[str, ...]
    why: str
    verb: str = "train"


@dataclass(frozen=True)
class Advised:
    """Ways to train, the first one recommended, and what to mind."""

    ways: list[Advice]
    notes: list[str]


def facts_of(data: DataSet) -> Facts:
    """What the rows say: their shapes, whether a program can check the references, which side is longer."""
    native = tuple(dict.fromkeys(source.form.shape for source in data.sources.values()))
    shape = native[0]
    rows = data.rows(shape)
    looked = rows[:SEEN]
    answers = [_reference(shape, row) for row in looked]
    known = [answer for answer in answers if answer is not None]
    short = SHORT if shape == "prompts" else 0
    found = [len(answer) <= short or bool(CHECKABLE.search(answer)) for answer in known]
    checkable = sum(found) / len(looked)
    longer = None
    if shape == "pairs":
        replies = [texts_of(shape, row).replies for row in looked]
        longer = sum(len(chosen) > len(rejected) for chosen, rejected in replies) / len(replies)
    graded = graded_by(data.sources[shape]) if shape == "completions" else ""
    return Facts(
        data.shapes, native, len(rows), checkable, longer, graded=graded, tools=any(map(_has_tools, looked))
    )


def _has_tools(row: dict[str, Any]) -> bool:
    turns = row.get("messages") or ()
    return bool(row.get("tools")) or any("tool_calls" in turn for turn in turns)


def _reference(shape: str, row: dict[str, Any]) -> str | None:
    if shape == "prompts":
        return None if row["answer"] is None else str(row["answer"])
    if shape in ("completions", "messages"):
        replies = texts_of(shape, row).replies
        return replies[-1] if replies else None
    return None


def advise(facts: Facts) -> Advised:
    """The ways that fit, the least demanding one first."""
    return Advised([*_ways(facts)], [*_notes(facts)])


def _ways(facts: Facts) -> Iterator[Advice]:
    """By the shape that the file has, then by those that follow from it."""
    adapters = _adapters(facts)
    if "pairs" in facts.native:
        yield from _for_pairs(facts, adapters)
    if "thumbs" in facts.native:
        yield Advice(
            ("method=kto", *adapters), "single replies with a label are enough; they need no partner"
        )
    if "prompts" in facts.native and (facts.checkable >= 0.5):
        yield Advice(
            ("recipe=raft", "scorer=[answer]"),
            "its own right answers are imitated: no likelihood is pushed down, so it is the safe first try",
        )
        yield Advice(
            ("method=grpo", "method.rewards=[answer]", *adapters),
            "a program checks the answers, so the reward cannot be sweet-talked; no critic is needed",
        )
    elif "prompts" in facts.native:
        yield Advice(
            ("recipe=cai",),
            "no checkable answers: the model criticises and revises its own by written principles",
        )
    if facts.graded:
        yield Advice(
            (f"score={facts.graded}", "out=./pairs.jsonl"),
            f"{facts.graded} grades several replies to one prompt: the best and the worst make a pair, and"
            " pairs are for method=dpo; method=sft would imitate the worse replies too",
            "data pairs",
        )
    elif {"messages", "completions", "text"} & set(facts.native):
        why = "demonstrations are imitated: format, style and domain are what SFT is for"
        yield Advice(("method=sft", *adapters), why)
        if facts.rows > MANY:
            yield Advice(
                ("make=select", "make.by=ifd", "make.share=0.05"),
                f"{facts.rows:,} rows: the 5 % that the prompt helps least with may be as good as all",
                "make",
            )
    if {"messages", "completions"} & set(facts.native) and _is_rewarded(facts):
        yield Advice(
            ("method=grpo", "method.rewards=[answer]", *adapters),
            f"{facts.checkable:.0%} of the answers end in a value that a program can check, so right ones"
            " can be rewarded",
        )
    yield from _for_others(facts)


def _is_rewarded(facts: Facts) -> bool:
    """Whether a program can check the replies: a graded one is no reference, and GRPO shows no tools."""
    return facts.checkable >= 0.5 and not facts.tools and not facts.graded


def _for_others(facts: Facts) -> Iterator[Advice]:
    """Labelled steps, and prompts that are to be refused or answered."""
    if "steps" in facts.native:
        yield Advice(
            ("method=process_reward",),
            "each step has its verdict: a process reward model learns them, and chooses among several answers"
            " of another model (decode=best_of decode.scorer=process)",
        )
    if facts.native == ("safety",):
        yield Advice(
            ("recipe=cai",), "few safety rows and a written policy: critique and revision by principles"
        )


def _for_pairs(facts: Facts, adapters: tuple[str, ...]) -> Iterator[Advice]:
    """Preferences without a reward model first, and one at the end, where there is all that it needs."""
    if facts.rows < FEW:
        yield Advice(
            ("method=dpo", "method.loss=ipo", *adapters),
            f"{facts.rows} pairs are few: IPO's loss does not push a pair further once it is told apart",
        )
    yield Advice(("method=dpo", *adapters), "pairs need no reward model and no sampling")
    yield Advice(("method=orpo", *adapters), "imitates and prefers in one step, without a reference model")
    if _is_lopsided(facts):
        yield Advice(
            ("method=simpo", *adapters),
            "the sides differ in length: SimPO's likelihood is per token, so it gains less by length alone",
        )
    if facts.rows >= ENOUGH and not _rlhf_lacks(facts):
        yield Advice(
            ("recipe=rlhf",),
            "last: a reward model learns from the pairs and judges new answers, which has the highest"
            " ceiling and costs the most; try it when DPO gains no more",
        )


def _is_lopsided(facts: Facts) -> bool:
    """Whether one side of the pairs is the longer one in most of them."""
    return facts.longer is not None and not 1 - LONGER < facts.longer < LONGER


def _rlhf_lacks(facts: Facts) -> list[str]:
    """What is missing for a reward model and reinforcement learning: the machine, or other rows."""
    lacks = [] if facts.gpu_bytes else ["a GPU"]
    if not {"messages", "completions"} & set(facts.shapes):
        lacks.append("demonstrations (messages.jsonl)")
    if "prompts" not in facts.shapes:
        lacks.append("prompts (prompts.jsonl)")
    return lacks


def _adapters(facts: Facts) -> tuple[str, ...]:
    """LoRA, as the goal asks for it; on one small GPU with the base in 4 bits."""
    words = ["lora=lora"]
    if facts.gpu_bytes and facts.parameters and 2.5 * facts.parameters > 0.8 * facts.gpu_bytes:
        words.append("method.lora.quantize=true")
    if facts.goal == "keep":
        words.append(f"method.lora.r={LOW_RANK}")
    if facts.goal == "variants":
        words.append("method.lora.merge=false")
    return tuple(words)


def _notes(facts: Facts) -> Iterator[str]:
    if facts.longer is not None and _is_lopsided(facts):
        side = "chosen" if facts.longer >= LONGER else "rejected"
        share = max(facts.longer, 1 - facts.longer)
        yield (
            f"the {side} reply is the longer one in {share:.0%} of the pairs, so length alone may be learnt:"
            " the judge's length-controlled win rate shows it"
        )
    if facts.native == ("prompts",) and facts.checkable < 0.5:
        yield (
            "a larger model can write the replies, and method=sft imitates them:"
            " ptx make make=sample make.n=1 make.temperature=0 make.scorer=null model=./teacher data=..."
        )
    if (
        facts.rows < FEW
        and not facts.graded
        and {"messages", "completions", "text", "thumbs"} & set(facts.native)
    ):
        yield f"{facts.rows} rows can do if they are clean; more epochs than 3 mostly memorise"
    if not facts.gpu_bytes and facts.parameters and facts.parameters > 1e9:
        yield "there is no GPU: try model=smollm2_135m_instruct first, the command stays the same"
    if facts.quantised:
        yield "the model is quantised: train its original, and quantise the result"
    if "pairs" in facts.native and facts.rows >= ENOUGH and (lacks := _rlhf_lacks(facts)):
        yield (
            "when DPO gains no more: recipe=rlhf (a reward model, then PPO) has the highest ceiling; it needs"
            f" {' and '.join(lacks)} beside the pairs"
        )
    if facts.goal in NOTES:
        yield NOTES[facts.goal]
