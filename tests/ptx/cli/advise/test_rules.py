"""The field's decision table as golden cases: which method comes first, and what is said beside it."""

import json
from dataclasses import replace

import pytest

from ptx.cli.advise.rules import Facts, advise, facts_of
from ptx.data import open_data

GB = 10**9


ALL_SHAPES = Facts(("messages", "pairs", "prompts"), ("pairs", "messages"), 20_000)


def facts(shape, rows=5_000, **known):
    return Facts((shape,), (shape,), rows, **known)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (facts("messages"), ["method=sft lora=lora"]),
        (facts("text"), ["method=sft lora=lora"]),
        (facts("pairs"), ["method=dpo lora=lora", "method=orpo lora=lora"]),
        (
            facts("pairs", 300),
            ["method=dpo method.loss=ipo lora=lora", "method=dpo lora=lora", "method=orpo lora=lora"],
        ),
        (facts("thumbs"), ["method=kto lora=lora"]),
        (
            facts("prompts", checkable=1.0),
            ["recipe=raft scorer=[answer]", "method=grpo method.rewards=[answer] lora=lora"],
        ),
        (facts("prompts"), ["recipe=cai"]),
        (facts("safety"), ["recipe=cai"]),
        (
            facts("completions", checkable=0.9),
            ["method=sft lora=lora", "method=grpo method.rewards=[answer] lora=lora"],
        ),
        (facts("messages", 80_000), ["method=sft lora=lora", "make=select make.by=ifd make.share=0.05"]),
        (
            facts("messages", parameters=8 * GB, gpu_bytes=16 * GB),
            ["method=sft lora=lora method.lora.quantize=true"],
        ),
        (facts("messages", parameters=8 * GB, gpu_bytes=80 * GB), ["method=sft lora=lora"]),
        (  # many objectives, the highest ceiling, a machine for it
            replace(ALL_SHAPES, gpu_bytes=80 * GB),
            ["method=dpo lora=lora", "method=orpo lora=lora", "recipe=rlhf", "method=sft lora=lora"],
        ),
        (facts("steps"), ["method=process_reward"]),
        (  # length alone tells the sides apart
            facts("pairs", longer=0.9),
            ["method=dpo lora=lora", "method=orpo lora=lora", "method=simpo lora=lora"],
        ),
        (facts("messages", checkable=0.9, tools=True), ["method=sft lora=lora"]),
        (facts("completions", checkable=0.9, graded="stars"), ["score=stars out=./pairs.jsonl"]),
        (ALL_SHAPES, ["method=dpo lora=lora", "method=orpo lora=lora", "method=sft lora=lora"]),
        (  # many variants of one base to serve
            facts("messages", goal="variants"),
            ["method=sft lora=lora method.lora.merge=false"],
        ),
        (  # fear of forgetting
            facts("thumbs", goal="keep"),
            ["method=kto lora=lora method.lora.r=4"],
        ),
        (
            facts("messages", goal="keep", parameters=8 * GB, gpu_bytes=16 * GB),
            ["method=sft lora=lora method.lora.quantize=true method.lora.r=4"],
        ),
    ],
)
def test_the_table(known, words):
    assert [" ".join(way.words) for way in advise(known).ways] == words


@pytest.mark.parametrize(
    ("known", "note"),
    [
        (facts("pairs", longer=0.9), "the chosen reply is the longer one in 90% of the pairs"),
        (facts("pairs", longer=0.1), "the rejected reply is the longer one in 90% of the pairs"),
        (facts("prompts"), "a larger model can write the replies"),
        (facts("messages", 200), "200 rows can do if they are clean"),
        (facts("messages", parameters=3 * GB), "there is no GPU"),
        (facts("messages", quantised=True), "train its original"),
        (facts("messages", goal="small"), "compress=[],[gptq],[sparsegpt]"),
        (facts("messages", goal="fast"), "runtime=hf,onnx,gguf"),
        (facts("messages", goal="safe"), "eval=[safety]"),
        (facts("messages", goal="keep"), "eval=[bench,forgetting] measures before and after"),
        (facts("messages", goal="variants"), "runtime=vllm serves them together"),
        (facts("pairs", 20_000), "it needs a GPU and demonstrations (messages.jsonl) and prompts"),
        (facts("pairs", 20_000, gpu_bytes=GB), "it needs demonstrations (messages.jsonl) and prompts"),
        (ALL_SHAPES, "it needs a GPU beside the pairs"),
    ],
)
def test_what_to_mind(known, note):
    assert [note in said for said in advise(known).notes] == [True]


def test_few_pairs_are_no_case_for_a_reward_model():
    assert advise(facts("pairs", 3_000)).notes == []
    assert "recipe=rlhf" not in str(advise(replace(ALL_SHAPES, rows=3_000, gpu_bytes=GB)).ways)


def test_nothing_is_said_of_pairs_whose_sides_are_as_long():
    assert advise(facts("pairs", 3_000, longer=0.55)).notes == []


def opened(tmp_path, *rows):
    (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_data("my", tmp_path / "my.jsonl")


@pytest.mark.parametrize(
    ("answer", "checkable"),
    [
        ("We add. #### 42", 1.0),
        ("so \\boxed{x+1}", 1.0),
        ("It is 3/4.", 1.0),
        ("It was a long story of the sea.", 0.0),
    ],
)
def test_a_reply_that_ends_in_a_value_can_be_checked(tmp_path, answer, checkable):
    found = facts_of(opened(tmp_path, {"prompt": "How many?", "completion": answer}))
    assert (found.checkable, found.rows, found.native) == (checkable, 1, ("completions",))


def test_short_references_are_compared_as_they_stand(tmp_path):
    rows = [{"prompt": "Who?", "answer": answer} for answer in ("Ada", "x" * 300)]
    assert facts_of(opened(tmp_path, *rows)).checkable == 0.5


def test_the_longer_side_is_counted(tmp_path):
    rows = [{"prompt": "a", "chosen": "long reply", "rejected": "no"}] * 3
    assert (
        facts_of(opened(tmp_path, *rows, {"prompt": "a", "chosen": "b", "rejected": "long"})).longer == 0.75
    )
