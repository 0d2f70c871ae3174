import pytest


@pytest.fixture
def by_name():
    """``by_name(metrics)``: metrics by the name after ``latency/``."""

    def make(metrics):
        return {metric.name.removeprefix("latency/"): metric for metric in metrics}

    return make


@pytest.fixture
def turns_of():
    """``turns_of([seconds, ...], ...)``: a turn per list of requests."""

    def make(*blocks, seconds=None, joules=None):
        """Turns whose requests take so long, half of it to the first token."""
        return [
            {
                "requests": [(0.0, t / 2, t / 2) for t in block],
                "seconds": seconds or sum(block),
                "joules": joules,
            }
            for block in blocks
        ]

    return make
