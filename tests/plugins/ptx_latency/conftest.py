import pytest


@pytest.fixture
def by_name():
    def by_name(metrics):
        return {metric.name.removeprefix("latency/"): metric for metric in metrics}

    return by_name


@pytest.fixture
def turns_of():
    def turns_of(*blocks, seconds=None, joules=None):
        """Turns whose requests take so long, half of it to the first token."""
        return [
            {
                "requests": [(0.0, t / 2, t / 2) for t in block],
                "seconds": seconds or sum(block),
                "joules": joules,
            }
            for block in blocks
        ]

    return turns_of
