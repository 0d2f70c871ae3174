import numpy as np
import pytest

from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.serving.reference import Reference, _kept
from tests.plugins.conftest import TEMPLATE, save_tiny_llama


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = save_tiny_llama(
        tmp_path_factory.mktemp("models") / "chat", TEMPLATE, max_position_embeddings=512
    )
    return Reference(load_model(folder).eval(), load_tokenizer(folder), seed=0)


def test_the_models_scores_are_computed_once_for_all_packages():
    asked = []

    def ask(row):
        asked.append(tuple(row))
        return np.zeros((len(row), 4), np.float32)

    again = _kept(ask)
    for _ in range(3):
        again([1, 2])
        again([1, 3])
    assert asked == [(1, 2), (1, 3)]


def test_predictions_are_made_on_other_texts_than_the_comparison(reference):
    rows, start = reference.further_texts()
    assert not {tuple(row) for row in rows} & {tuple(row) for row in reference.rows}
    assert len({len(row) for row in rows}) == 1
    assert all(row[:start] == reference.starts[0] for row in rows)


def test_the_long_text_consists_of_the_models_own(reference):
    assert reference.long is not None
    assert len(reference.long.row) == 320
    assert reference.long.row[: len(reference.rows[0])] == reference.rows[0]
