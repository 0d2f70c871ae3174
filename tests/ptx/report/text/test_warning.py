"""One warning per model: the strongest that holds."""

from ptx.files import write_rows
from ptx.report import load_records, make_frame
from ptx.report.table.compare import compare_all
from ptx.report.text.warning import emulated, strongest_warning


def test_a_model_that_its_runtime_emulates_is_said_to_be_untimed(new_sweep):
    sweep = new_sweep()
    folder = sweep.run({"compress": "[gptq]"})
    line = {"item": "latency", "scores": {}, "status": "emulated", "reason": "it is unpacked first"}
    write_rows(folder / "evaluations" / "latency.jsonl", [line])
    frame = make_frame(load_records([sweep.folder]))
    assert emulated(frame.rows[0]) == "it is unpacked first"
    assert strongest_warning(frame, compare_all(frame), frame.rows[0]) == "not timed: it is unpacked first"


def test_a_model_with_nothing_to_say_against_it_has_no_warning(new_sweep):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    frame = make_frame(load_records([sweep.folder]))
    assert strongest_warning(frame, compare_all(frame), frame.rows[0]) == ""
