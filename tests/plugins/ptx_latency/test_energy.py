import pytest

from ptx_latency.energy import Meter


def test_energy_is_read_from_rapl_and_survives_a_counter_that_starts_again(tmp_path):
    assert Meter(powercap=tmp_path / "none").read() == []
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("10000000\n")
    (zone / "energy_uj").write_text("9000000\n")
    meter = Meter(powercap=tmp_path)
    before = meter.read()
    (zone / "energy_uj").write_text("9500000\n")
    assert meter.since(before) == pytest.approx(0.5)
    (zone / "energy_uj").write_text("1000000\n")
    assert meter.since(before) == pytest.approx(2.0)
