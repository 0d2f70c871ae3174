import numpy as np
import pytest

from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.serving import reference as reference_module
from ptx.lm.serving.fidelity import logits_of
from ptx.lm.serving.reference import Reference, _kept
from tests.plugins.conftest import TEMPLATE, save_tiny_llama


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = save_tiny_llama(
        tmp_path_factory.mktemp("models") / "chat", TEMPLATE, max_position_embeddings=512
    )
    return Reference(load_model(folder).eval(), load_tokenizer(folder), seed=0)


@pytest.mark.parametrize("most", [reference_module.LARGEST, 0])
def test_the_models_scores_are_computed_in_one_pass_for_all_packages(reference, monkeypatch, most):
    monkeypatch.setattr(reference_module, "LARGEST", most)
    network, rows, passes = reference.network, reference.rows[:4], []
    hook = network.register_forward_pre_hook(lambda *_: passes.append(1))
    again = _kept(network, rows)
    found = [(row, again(row)) for _ in range(2) for row in [*rows, rows[1][:-1]]]
    hook.remove()
    assert len(passes) == (1 if most else 10)
    other = [1, 2, 3]
    for row, scores in [*found, (other, again(other))]:
        np.testing.assert_allclose(scores, logits_of(network)(row), atol=1e-5)


def test_predictions_are_made_on_other_texts_than_the_comparison(reference):
    rows, start = reference.further_texts()
    assert not {tuple(row) for row in rows} & {tuple(row) for row in reference.rows}
    assert len({len(row) for row in rows}) == 1
    assert all(row[:start] == reference.starts[0] for row in rows)


def test_the_long_text_consists_of_the_models_own(reference):
    assert reference.long is not None
    assert len(reference.long.row) == 320
    assert reference.long.row[: len(reference.rows[0])] == reference.rows[0]
