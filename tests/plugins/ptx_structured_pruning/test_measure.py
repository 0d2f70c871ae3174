from pathlib import Path

import pytest

import ptx_structured_pruning.compress as step
import ptx_tiny
from ptx.files import file_digest
from ptx_structured_pruning import WIDTH_IMPORTANCE, Width

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.mark.parametrize("importance", WIDTH_IMPORTANCE)
def test_what_is_kept_by_importance_loses_less_than_what_it_would_remove(
    compress, loss, texts, monkeypatch, importance
):
    config = Width(ffn=0.5, importance=importance, samples=24, max_length=128)
    kept = loss(compress(config)[1].path, texts[40:])
    honest = step.largest
    monkeypatch.setattr(step, "largest", lambda scores, count: honest(-scores, count))
    assert loss(TINY, texts[40:]) < kept < loss(compress(config, name="worst")[1].path, texts[40:])


@pytest.mark.parametrize("importance", WIDTH_IMPORTANCE)
def test_rows_that_share_a_batch_count_as_much_as_alone_for_channels(cut_at_length, importance):
    made = [
        cut_at_length(
            Width(ffn=0.5, importance=importance, samples=8, max_length=32, batch_size=size), f"size{size}"
        )[1]
        for size in (1, 4)
    ]
    assert file_digest(made[0].path / "model.safetensors") == file_digest(made[1].path / "model.safetensors")
