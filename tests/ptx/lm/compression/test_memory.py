"""The forecast of a compression's memory."""

import pytest

from ptx.lm.compression.memory import LIBRARIES, compression_memory
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape

SHAPE = ModelShape(10**8, 2 * 10**8, 512, 8, 2048, 8, 8, 64, 32000, 10**7, True, True, 10**5, 2, 0)
WIDE = ModelShape(59_800_000, 239_000_000, 768, 6, 3072, 12, 12, 64, 4096, 3_145_728, True, True, 1, 2, 0)
WORDS = ModelShape(89_137_664, 356_558_960, 512, 8, 1408, 8, 4, 64, 64000, 65_536_000, False, True, 1, 2, 0)


def test_it_holds_the_stored_weights_the_hidden_states_and_the_hessians_of_a_layer():
    parts = compression_memory(Workload(SHAPE, "cpu", 100, 50), 128, 1024, hessians=True).device
    assert parts["weights before and after"] == 2 * SHAPE.stored
    assert parts["calibration"] == 2 * 50 * 100 * 512 * 2
    assert parts["Hessians"] == pytest.approx(4 * (6 * 512**2 + 4 * 2048**2))
    assert parts["comparison"] == 10 * 4 * 100 * 32000
    assert parts["libraries"] == LIBRARIES


def test_a_compressor_without_calibration_keeps_no_hidden_states():
    parts = compression_memory(Workload(SHAPE, "cpu"), 0, 1024, hessians=False).device
    assert set(parts) == {"libraries", "weights before and after", "comparison"}


@pytest.mark.parametrize(
    ("shape", "hessians", "megabytes"),
    [(WIDE, True, 1330), (WIDE, True, 1445), (WIDE, False, 1366), (WORDS, True, 2189)],
    ids=["sparsegpt", "gptq", "wanda", "sparsegpt-64000-words"],
)
def test_measured_peaks_are_met(shape, hessians, megabytes):
    """24 rows of 262 tokens on a CPU, the largest resident set of the whole process."""
    found = compression_memory(Workload(shape, "cpu", 262, 48), 24, 1024, hessians=hessians).total
    assert found == pytest.approx(megabytes * 1e6, rel=0.15)
