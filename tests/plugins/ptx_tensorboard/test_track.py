"""TensorBoard, really: its own reader finds the curves, the metrics and the settings."""

import pytest

import ptx_tensorboard
from ptx_tensorboard import Tensorboard
from tests.plugins.trackers import RESULT, carried_out, report, run_with, train

pytest.importorskip("tensorboard", reason="pip install 'ptx[tensorboard]'")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


@pytest.fixture
def run(tmp_path):
    return run_with(tmp_path, ptx_tensorboard, tensorboard=Tensorboard())


def test_a_run_leaves_curves_metrics_and_settings(run, tmp_path):
    assert carried_out(run, train) is RESULT
    assert run.console.lines == []
    found = read(tmp_path / "out/tensorboard/grid/r1")
    assert [(one.step, round(one.value, 4)) for one in found.Scalars("sft/loss")] == [
        (1, 1.0),
        (2, 0.5),
        (3, 0.3333),
    ]
    assert found.Scalars("bench/acc/skill=add")[0].value == 0.75
    (text,) = found.Tensors("metrics/text_summary")
    assert b"| bench/acc | 0.5 | 0.4 | 0.6 | 80 |" in text.tensor_proto.string_val[0]
    assert "_hparams_/session_start_info" in found.summary_metadata


def test_a_run_that_ends_by_an_error_keeps_its_curves(run, tmp_path):
    def broken(run):
        run.at(label="sft").log({"loss": 2.0}, 1, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried_out(run, broken)
    assert read(tmp_path / "out/tensorboard/grid/r1").Scalars("sft/loss")[0].value == 2.0


def test_the_report_is_a_text_of_the_sweep(run, tmp_path):
    ptx_tensorboard.ptx_reported(run.config, "grid", report(tmp_path / "report"))
    assert read(tmp_path / "out/tensorboard/grid").Tensors("report/text_summary")
