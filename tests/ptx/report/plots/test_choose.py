"""Which pictures a report has, and which rows are in them."""

from ptx.files import read_json, write_json
from ptx.report import build
from tests.ptx.report.pages import texts


def test_a_model_without_latency_is_never_on_the_front(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, skill=0.3, baseline=True)
    best = sweep.run({"method": "sft"}, skill=0.9)
    result = read_json(best / "result.json")
    for metric in result["metrics"]:
        if metric["name"] == "latency/request_seconds":
            metric |= {"value": None, "low": None, "high": None}
    write_json(best / "result.json", result)
    html, markdown = texts(build([sweep.folder], tmp_path / "out"))
    latency = markdown[markdown.index("(quality-latency.svg)") : markdown.index("(quality-size.svg)")]
    assert "On the front: baseline." in latency
    assert "Not in the picture, as a value is missing: sft." in latency
    assert "On the front: sft." in markdown[markdown.index("(quality-size.svg)") :]
    assert "not measured" in html
