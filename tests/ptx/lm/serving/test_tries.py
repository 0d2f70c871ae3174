import json
import math

import pytest

from ptx import StepError
from ptx.lm.serving.fidelity import fidelity_of
from ptx.lm.serving.tries import Try, check_tried, formats_of, smallest_that_passes


@pytest.fixture
def made(tmp_path):
    """``made(name, kl)``: a package of some bytes at a distance from its model."""

    def make(name, kl):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "weights").write_bytes(b"x" * 100)
        return Try(name, folder, 100, fidelity_of([(kl, 0.1), (kl, 0.1)], 20))

    return make


def test_the_first_round_with_a_package_that_passes_is_the_last(made, tmp_path):
    asked = []

    def rounds():
        for name, kl in (("small", 0.9), ("middle", 0.2), ("large", 0.01)):
            asked.append(name)
            yield [made(name, kl)]

    found = smallest_that_passes(rounds(), 1.25, 9)
    assert asked == ["small", "middle"]
    assert found.kept.name == "middle"
    assert [one.name for one in found.tries] == ["small", "middle"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["middle"]


def test_of_one_round_the_nearest_is_kept(made):
    found = smallest_that_passes([[made("packed", 0.02), made("dense", 0.01)]], 1.25, 9)
    assert found.kept.name == "dense"


def test_the_number_of_tries_is_bounded_and_then_all_figures_are_in_the_error(made):
    rounds = ([made(name, kl)] for name, kl in (("a", 0.9), ("b", 0.8), ("c", 0.01)))
    found = smallest_that_passes(rounds, 1.25, 2)
    with pytest.raises(StepError, match=r"(?s)the package has 2\.23 times .*\n  a: .*\n  b: .*0\.8"):
        check_tried(found, "the package", 1.25, "something else")


def test_a_divergence_that_is_no_number_never_wins(made):
    found = smallest_that_passes([[made("broken", math.nan), made("poor", 0.9)]], 1.25, 9)
    assert found.kept.name == "poor"
    assert json.dumps(found.rows(), allow_nan=False)


def test_the_formats_of_a_plan_are_counted():
    assert (
        formats_of({"a": "8 bits", "b": "4 bits", "c": "4 bits"})
        == "2 matrices in 4 bits, 1 matrices in 8 bits"
    )
