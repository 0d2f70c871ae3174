"""A step that asks for less memory when that was full, through the toy plugin."""

from dataclasses import dataclass, replace

import pytest

from ptx import Method, Run, RunConfig, machine, setting
from ptx.errors import MemoryFullError
from ptx.execute import fitting
from ptx.execute.fitting import with_what_fits
from ptx.files import read_rows
from ptx.models.memory import Memory
from ptx.records import ModelRef
from ptx.testing import Silent


@dataclass
class Sized(Method):
    size: int = setting(0, "0: what fits")

    def fitted(self, work, free, ranks=1):
        return replace(self, size=8) if not self.size else self

    def memory(self, work):
        return Memory({"weights": 1e6 * self.size})

    def smaller(self):
        return replace(self, size=self.size // 2) if self.size > 1 else None


@pytest.fixture
def run(tmp_path, toy_host, monkeypatch):
    monkeypatch.setattr(fitting, "workload_of", lambda *_: object())
    return Run(
        RunConfig(), toy_host, Silent(), tmp_path, tmp_path / "events.jsonl", tmp_path, 0, "cpu", "toy"
    )


def start_with(limit, tried):
    def start(config):
        tried.append(config.size)
        if config.size > limit:
            raise MemoryFullError("the machine's memory is full at step 3")
        return ModelRef("made")

    return start


def changes(run):
    return [event["changed"]["size"] for event in read_rows(run.events) if event["event"] == "fitted"]


def test_a_step_is_started_again_with_less_until_it_fits(run):
    tried = []
    assert with_what_fits(run, Sized(), ModelRef("m"), None, start_with(3, tried)) == ModelRef("made")
    assert tried == changes(run) == [8, 4, 2]


def test_what_an_earlier_attempt_came_to_is_where_the_next_begins(run):
    with_what_fits(run, Sized(), ModelRef("m"), None, start_with(3, []))
    tried = []
    with_what_fits(run, Sized(), ModelRef("m"), None, start_with(8, tried))
    assert tried == [2]


def test_the_error_is_passed_on_where_nothing_smaller_is_left(run):
    tried = []
    with pytest.raises(MemoryFullError, match="full at step 3"):
        with_what_fits(run, Sized(), ModelRef("m"), None, start_with(0, tried))
    assert tried == [8, 4, 2, 1]


def test_a_step_that_follows_nothing_from_memory_records_nothing(run):
    with_what_fits(run, Sized(size=5), ModelRef("m"), None, start_with(9, []))
    assert changes(run) == []


def test_the_peak_of_a_step_stands_in_its_events_beside_the_forecast(run):
    held = []

    def start(_config):
        held.append(bytearray(b"x" * 60_000_000))
        held.clear()
        return ModelRef("made")

    machine.forget_peak()
    before = machine.own_peak("cpu")
    with_what_fits(run, Sized(size=5), ModelRef("m"), None, start)
    (event,) = [event for event in read_rows(run.events) if event["event"] == "memory"]
    assert event["forecast"] == 5e6
    assert event["peak"] > before + 40e6
