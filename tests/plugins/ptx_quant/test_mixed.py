import pytest

from ptx_quant import Mixed


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"size": 0.25, "max_bytes": 5},
            "compress.mixed.max_bytes=5 and compress.mixed.size=0.25 are two budgets",
        ),
        (
            {"average_bits": 5.0, "size": 0.25},
            "compress.mixed.average_bits=5.0 and compress.mixed.size=0.25 are two budgets",
        ),
        ({"size": 1.5}, "compress.mixed.size must be a share below 1, got 1.5"),
        (
            {"average_bits": 2.0},
            "average_bits=2.0 is below the least candidate; try compress.mixed.average_bits=3.5",
        ),
        ({"candidates": [4]}, "candidates must be two or more of 2 to 8"),
        ({"max_bytes": -1}, "compress.mixed.max_bytes must be positive, got -1"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        Mixed(**settings)
    assert said in str(refused.value)


def test_a_budget_of_bytes_needs_no_bits():
    assert Mixed(size=0.3, candidates=[5, 8]).promise().size == 0.3
