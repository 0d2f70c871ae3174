"""How long steps take, from steps that ran before."""

import pytest

from ptx import Runtime
from ptx.files import cache_folder
from ptx.lm.training.method import TrlMethod
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape
from ptx.plan import rates
from ptx.plan.rates import Rates, kind_of, record, seconds_of

SHAPE = ModelShape(1000, 4000, 8, 1, 16, 2, 2, 4, 50, 400, True, True, 90, 2, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTX_CACHE", str(tmp_path))


def kind(steps=10, parameters=1000, device="cpu", **settings):
    method = TrlMethod(max_steps=steps, **settings)
    return kind_of(method, "method=toy", parameters, device, Workload(SHAPE, device, 100, 50))


def test_without_an_equal_step_nothing_is_expected():
    assert Rates.of_this_machine().expected(kind()) is None
    record(kind(), "toy", 20.0)
    known = Rates.of_this_machine()
    assert known.expected(kind(parameters=2000)) is None
    assert known.expected(kind(device="cuda")) is None
    assert known.expected(kind()).seconds == pytest.approx(20.0)


def test_the_time_grows_with_the_steps_and_not_with_other_settings():
    record(kind(steps=10), "toy", 20.0)
    expected = Rates.of_this_machine().expected(kind(steps=30, learning_rate=1e-3))
    assert (expected.seconds, expected.count) == (pytest.approx(60.0), 1)


def test_a_short_trial_tells_nothing_of_a_long_training():
    record(kind(steps=10), "toy", 20.0)
    known = Rates.of_this_machine()
    assert known.expected(kind(steps=40)) is not None
    assert known.expected(kind(steps=3)) is not None
    assert known.expected(kind(steps=41)) is known.expected(kind(steps=2)) is None


def test_the_time_to_load_a_model_is_told_apart_as_soon_as_two_amounts_ran():
    assert seconds_of([(10, 25.0), (20, 35.0)], 100) == pytest.approx(115.0)
    assert seconds_of([(10, 25.0), (20, 35.0), (20, 37.0), (10, 24.0)], 0) == pytest.approx(14.0, abs=1.5)
    assert seconds_of([(10, 30.0), (20, 20.0)], 40) == pytest.approx(25.0)  # noise alone is no gain of speed


def test_a_part_without_an_amount_is_compared_with_the_same_settings_only():
    one, other = Runtime(), TrlMethod(epochs=2)
    assert kind_of(one, "runtime=x", 1, "cpu", None) != kind_of(other, "runtime=x", 1, "cpu", None)
    assert kind_of(one, "runtime=x", 1, "cpu", None) == kind_of(Runtime(), "runtime=x", 1, "cpu", None)


def test_a_damaged_file_of_rates_is_as_good_as_none():
    (cache_folder() / rates.FILE).write_text("{not json}\n")
    assert Rates.of_this_machine().expected(kind()) is None


def test_a_cache_that_cannot_be_written_stops_nothing(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "file" / "below"))
    record(kind(), "toy", 1.0)
    assert Rates.of_this_machine().known == {}
