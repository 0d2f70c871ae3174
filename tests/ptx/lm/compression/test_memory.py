"""The forecast of a compression's memory."""

import pytest

from ptx.lm.compression.memory import LIBRARIES, compression_memory
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape

SHAPE = ModelShape(10**8, 2 * 10**8, 512, 8, 2048, 8, 8, 64, 32000, 10**7, True, True, 10**5, 2, 0)


def test_it_holds_the_stored_weights_the_hidden_states_and_the_hessians_of_a_layer():
    parts = compression_memory(Workload(SHAPE, "cpu", 100, 50), 128, 1024, hessians=True).device
    assert parts["weights"] == SHAPE.stored
    assert parts["calibration"] == 2 * 50 * 100 * 512 * 2
    assert parts["Hessians"] == pytest.approx(4 * (6 * 512**2 + 4 * 2048**2))
    assert parts["libraries"] == LIBRARIES


def test_a_compressor_without_calibration_needs_the_weights_alone():
    parts = compression_memory(Workload(SHAPE, "cpu"), 0, 1024, hessians=False).device
    assert set(parts) == {"libraries", "weights"}


def test_the_peak_of_a_measured_compression_is_met():
    """SparseGPT on a random Llama of 60 M weights, 24 rows of 262 tokens: 1330 MB on a CPU."""
    wide = ModelShape(59_800_000, 239_000_000, 768, 6, 3072, 12, 12, 64, 4096, 3_145_728, True, True, 1, 2, 0)
    found = compression_memory(Workload(wide, "cpu", 262, 48), 24, 1024, hessians=True).total
    assert found == pytest.approx(1330e6, rel=0.15)
