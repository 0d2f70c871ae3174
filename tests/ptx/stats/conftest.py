"""Coverage by simulation, for all intervals of ptx.stats."""

import random

import pytest


@pytest.fixture
def covered():
    """``covered(draw, truth)``: the share of simulated intervals that contain the truth.

    ``draw`` makes one interval (low, high) from a generator. The standard error of the share is about 0.006.
    """

    def share(draw, truth, repeats=1500, seed=1):
        generator = random.Random(seed)
        hits = sum(low <= truth <= high for low, high in (draw(generator) for _ in range(repeats)))
        return hits / repeats

    return share
