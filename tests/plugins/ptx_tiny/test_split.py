"""No leakage: what the benchmark asks is nowhere in the training rows or the pretraining corpus, in no
language and no wording.
"""

import random

import pytest

from ptx_tiny.corpus import documents
from ptx_tiny.data import SHAPES
from ptx_tiny.items import LANGUAGES, draw_items, is_test
from ptx_tiny.skills import SKILLS
from ptx_tiny.tasks import DOCUMENTS
from ptx_tiny.template import render


@pytest.fixture(scope="module")
def test_prompts() -> set[str]:
    return {row["prompt"] for make in DOCUMENTS.values() for row in make()}


def texts(shape: str) -> str:
    """All user turns of a shape, one a line."""
    rows = list(SHAPES[shape]())
    if shape == "calibration":
        return "\n".join(row["text"] for row in rows)
    return "\n".join(render(row.get("messages") or row["prompt"]) for row in rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_benchmark_prompt_stands_in_a_training_row(test_prompts: set[str], shape: str):
    text = texts(shape)
    assert not [prompt for prompt in test_prompts if f"|>{prompt}<|" in text]


def test_no_benchmark_prompt_stands_in_the_pretraining_corpus(test_prompts: set[str]):
    asked = {document.prompt for document in documents(0, 60_000)}
    assert not asked & test_prompts


def test_no_general_text_stands_in_the_corpus_or_in_a_training_row():
    other = set(documents(0, 200, test=True))
    assert len(other) > 150
    assert not other & set(documents(0, 60_000))
    rows = "\n".join(texts(shape) for shape in SHAPES)
    assert not [document.prompt for document in other if document.prompt and f"|>{document.prompt}<|" in rows]


def test_no_benchmark_sum_stands_in_the_corpus_in_either_order():
    plain = {document.reply for document in documents(0, 60_000) if not document.prompt}
    for row in DOCUMENTS["tiny_answers"]():
        if row["skill"] == "add":
            a, b = map(int, row["key"].split("+"))
            assert not plain & {f"{a} + {b} = {a + b}", f"{b} + {a} = {a + b}"}


@pytest.mark.parametrize("skill", SKILLS)
def test_training_and_test_draws_share_no_meaning(skill: str):
    rng = random.Random(3)
    train = {item.key for item in draw_items(SKILLS[skill], rng, 900, test=False)}
    test = {item.key for item in draw_items(SKILLS[skill], rng, 60, test=True)}
    assert not train & test
    assert all(is_test(skill, key) for key in test)


@pytest.mark.parametrize("skill", SKILLS)
def test_an_item_has_the_same_key_in_every_language(skill: str):
    keys = [SKILLS[skill](random.Random(5), language).key for language in LANGUAGES]
    if skill in {"add", "subtract", "largest", "sort", "reverse", "count", "odd", "refuse"}:
        assert len(set(keys)) == 1


def test_a_sum_a_set_of_letters_and_a_mirrored_sequence_each_have_one_key():
    for skill, normal in (
        ("sort", lambda key: "".join(sorted(key))),
        ("reverse", lambda key: min(key, key[::-1])),
    ):
        for item in draw_items(SKILLS[skill], random.Random(1), 200, test=False):
            assert normal(item.key).replace(" ", "") == item.key.replace(" ", "")
    assert all(
        int(item.key.split("+")[0]) <= int(item.key.split("+")[1])
        for item in draw_items(SKILLS["add"], random.Random(1), 200, test=False)
    )


def test_too_many_test_items_are_refused_with_the_number_there_is():
    with pytest.raises(ValueError, match="distinct test items of skill refuse, 5000 wanted"):
        list(draw_items(SKILLS["refuse"], random.Random(0), 5000, test=True))


def test_the_benchmark_counts_no_meaning_twice():
    for make in DOCUMENTS.values():
        keys = [(row["skill"], row["key"]) for row in make()]
        assert len(keys) == len(set(keys))
