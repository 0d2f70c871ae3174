"""What a report says in the terminal: nothing is wider than it, and nothing is cut."""

import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console

from ptx.cli.summary import fitted, print_summary
from ptx.files import write_json, write_rows
from ptx.records import Metric
from ptx.report import load_records
from ptx.report.building import findings_of
from ptx.report.formats.headline import headline
from ptx.report.table.units import TIMES
from ptx.report.text.forgetting import BITS
from tests.ptx.report.sweeps import Sweep, write_demo

SETTINGS = ("method.learning_rate", "method.beta", "method.warmup_steps", "lora.r", "lora.alpha")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return findings_of(load_records([folder]))


@pytest.fixture
def searched(tmp_path):
    """A search over many settings with long names."""
    sweep = Sweep(tmp_path / "runs")
    sweep.run({}, baseline=True)
    for run in range(5):
        sweep.run({name: f"{run + place / 10}e-6" for place, name in enumerate(SETTINGS)})
    return findings_of(load_records([sweep.folder]))


def printed(found, width=None, most=20):
    """The lines as a terminal of this width shows them, or as a pipe gets them."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=width is not None, no_color=True, color_system=None
    )
    print_summary(console, found, most)
    return out.getvalue().splitlines()


def test_the_sentence_comes_first_then_the_gate_then_the_table(demo):
    lines = printed(demo, 100)
    assert lines[0].startswith(f"Ship sft · gptq: 4.0{TIMES} smaller, quality +0.093")
    gate = next(place for place, line in enumerate(lines) if line.startswith("gate usual"))
    assert lines[gate + 2].split() == ["sft", "·", "gptq", "✓", "✓", "✓", "ships"]
    table = next(place for place, line in enumerate(lines) if line.startswith("   method    compress"))
    assert 1 < gate < table
    assert lines[table + 2].split()[:2] == ["baseline", "0.485"]
    assert lines[table + 3].split()[:4] == ["●", "sft", "gptq", "0.578"]


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_no_line_is_wider_than_the_terminal(demo, searched, width):
    for found in (demo, searched):
        assert max(cell_len(line) for line in printed(found, width)) <= width


def test_what_has_no_room_is_named_and_quality_is_never_left_out(searched):
    columns = headline(searched.view, searched.decision, searched.places).columns
    for width in range(30, 200, 7):
        kept, stacked, dropped = fitted(columns, width)
        heads = [column.head for column in kept]
        assert "bench mean" in heads
        assert sorted(heads + dropped) == sorted(column.head for column in columns)
        assert not (
            dropped and not stacked and any(not column.spare for column in columns if column not in kept)
        )
    text = " ".join(printed(searched, 60))
    assert "no room here, but in report.html:" in text


def test_intervals_stand_below_their_values_where_rows_are_too_wide(searched):
    def row_and_next(width):
        lines = printed(searched, width)
        row = next(place for place, line in enumerate(lines) if "0.0e-6" in line and "●" in line)
        return lines[row : row + 2]

    value, interval = row_and_next(75)
    assert "[" not in value
    assert interval.split()[0].startswith("[")
    assert value.count("≈") == interval.count("]") + 0
    (value, _) = row_and_next(160)
    assert value.count("[") == 2


def test_in_a_pipe_every_row_and_the_sentence_are_one_line(searched):
    lines = printed(searched)
    assert lines[0].endswith(".")
    rows = [line for line in lines if "e-6" in line and "[" in line]
    assert len(rows) >= 5
    assert all(len(SETTINGS) <= len(row.split()) for row in rows)


def test_a_matrix_that_says_nothing_is_not_printed(tmp_path):
    sweep = Sweep(tmp_path / "runs")
    sweep.run({})
    text = "\n".join(printed(findings_of(load_records([sweep.folder])), 80))
    assert text.startswith("One model, ")
    assert "gate" not in text


def test_the_warning_about_what_ships_stands_below_the_sentence(tmp_path):
    sweep = Sweep(tmp_path / "runs")
    bits = [
        Metric(BITS, value, "bits/byte", "lower", value - 0.01, value + 0.01, 500) for value in (1.0, 1.5)
    ]
    sweep.run({}, skill=0.4, baseline=True, extra=bits[:1])
    sweep.run({"method": "sft"}, skill=0.9, extra=bits[1:])
    lines = printed(findings_of(load_records([sweep.folder])))
    assert lines[0].startswith("Ship sft: ")
    assert lines[1] == "⚠ sft forgets: general text 1.00 → 1.50 bits per byte (+50%)."


def test_what_was_not_timed_is_not_said_twice(tmp_path):
    sweep = Sweep(tmp_path / "runs")
    sweep.run({}, skill=0.4, baseline=True)
    folder = sweep.run({"compress": "[gptq]"}, skill=0.9, size=2_000_000)
    line = {"item": "latency", "scores": {}, "status": "emulated", "reason": "it is unpacked first"}
    write_rows(folder / "evaluations" / "latency.jsonl", [line])
    result = json.loads((folder / "result.json").read_text())
    result["metrics"] = [one for one in result["metrics"] if "latency" not in one["name"]]
    write_json(folder / "result.json", result)
    text = "\n".join(printed(findings_of(load_records([sweep.folder]))))
    assert text.count("it is unpacked first") == 1


def test_control_characters_of_a_label_reach_no_terminal(tmp_path):
    sweep = Sweep(tmp_path / "runs")
    sweep.run({}, baseline=True)
    for name in ("\x1b[31mred", "\x1b]0;title\x07", "[bold]x[/]"):
        sweep.run({"method.note": name})
    text = "\n".join(printed(findings_of(load_records([sweep.folder])), 120))
    assert "\x1b" not in text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "")
    assert "\x07" not in text
    assert "[bold]x[/]" in text
