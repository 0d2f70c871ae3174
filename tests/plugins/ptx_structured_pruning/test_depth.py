from pathlib import Path

import pytest
import torch

import ptx_tiny
from ptx.files import read_rows
from ptx.lm.load import load_model
from ptx_structured_pruning import Depth
from ptx_structured_pruning.depth import protected
from ptx_structured_pruning.solver import best_block, lowest

TINY = Path(ptx_tiny.__file__).parent / "model"


def test_by_loss_the_layer_goes_without_which_the_loss_is_lowest(compress, loss, texts):
    _, best = compress(Depth(layers=1, importance="loss", samples=40, max_length=128))
    by_loss = loss(best.path, texts[:40])
    model = load_model(TINY)
    losses = []
    for gone in range(3):
        kept = torch.nn.ModuleList(layer for number, layer in enumerate(model.model.layers) if number != gone)
        other = load_model(TINY)
        other.model.layers, other.config.num_hidden_layers = kept, 2
        other.save_pretrained(best.path.parent / f"without-{gone}")
        losses.append(loss(best.path.parent / f"without-{gone}", texts[:40]))
    assert by_loss == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.parametrize("importance", ["influence", "angular", "taylor", "loss"])
def test_rows_that_share_a_batch_count_as_much_as_alone_for_layers(cut_at_length, importance):
    said = []
    for size in (1, 4):
        run, _ = cut_at_length(
            Depth(layers=1, importance=importance, samples=8, max_length=32, batch_size=size), f"size{size}"
        )
        said.append(next(line for line in run.console.lines if "removing 1 of 3" in line))
        calibrated = next(event for event in read_rows(run.events) if event["event"] == "calibration")
        assert calibrated["rows"] == 8
        assert calibrated["tokens"] == 8 * 32
    assert said[0] == said[1], "the scores are in it, to three digits"


@pytest.mark.parametrize(
    ("scores", "count", "total", "expected"),
    [
        ([0.1, 0.5, 0.4, 0.3, 0.2], 1, 5, [3]),
        ([0.1, 0.5, 0.4, 0.3, 0.2], 3, 5, [1, 2, 3]),
        ([0.1, 0.5, 0.4, 0.3, 0.2], 4, 5, [0, 2, 3, 4]),  # too many to keep both ends
    ],
)
def test_the_first_and_the_last_layer_stay_where_layers_are_scored_alone(scores, count, total, expected):
    assert lowest(protected(scores, count, total), count) == expected


def test_a_block_of_neighbours_leaves_the_ends_too():
    assert best_block(protected([0.1, 0.5, 0.4, 0.2], 2, 5), 2) == [2, 3]


def test_the_default_keeps_layer_0_of_a_model_that_changes_its_input_least_there(cut_at_length):
    run, _ = cut_at_length(Depth(layers=1, samples=8, max_length=32), "default")
    assert "removing 1 of 3 layers: 1 " in next(line for line in run.console.lines if "removing" in line)
