"""The pretraining corpus, which holds nothing of the benchmark."""

from ptx_tiny.corpus import documents
from ptx_tiny.data import SHAPES
from ptx_tiny.tasks import DOCUMENTS
from ptx_tiny.template import render


def texts(shape: str) -> str:
    """All user turns of a shape, one a line."""
    rows = list(SHAPES[shape]())
    if shape == "calibration":
        return "\n".join(row["text"] for row in rows)
    return "\n".join(render(row.get("messages") or row["prompt"]) for row in rows)


def test_no_benchmark_prompt_stands_in_the_pretraining_corpus(benchmark_prompts: set[str]):
    asked = {document.prompt for document in documents(0, 60_000)}
    assert not asked & benchmark_prompts


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
