"""Which pictures a report has, and which rows are in them."""

from xml.etree import ElementTree as ET

from ptx.files import read_json, write_json
from ptx.report import build, load_records, make_frame
from ptx.report.formats.view import View
from ptx.report.plots.choose import pictures_of, standalone
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
    _, markdown = texts(build([sweep.folder], tmp_path / "out"))
    latency = markdown[markdown.index("(quality-latency.svg)") : markdown.index("(quality-size.svg)")]
    assert "On the front: baseline." in latency
    assert "Not in the picture, as a value is missing: sft." in latency
    assert "On the front: sft." in markdown[markdown.index("(quality-size.svg)") :]


def test_a_report_without_a_quality_metric_has_no_pictures(new_sweep):
    sweep = new_sweep()
    sweep.run({"method": "dpo"}, status="unfinished")
    assert pictures_of(View(make_frame(load_records([sweep.folder])))) == []


def test_the_file_of_a_picture_brings_its_style(demo_report):
    pictures = pictures_of(View(demo_report.frame))
    assert [picture.file for picture in pictures] == ["quality-latency.svg", "quality-size.svg"]
    for picture in pictures:
        written = (demo_report.html.parent / picture.file).read_text(encoding="utf-8")
        assert written == standalone(picture)
        assert written.startswith("<svg ")
        assert written.count("<style>") == written.count("</style>") == 1
        ET.fromstring(written)


def test_every_row_is_in_one_list_of_a_picture(demo_report):
    (latency, _) = pictures_of(View(demo_report.frame))
    dominated = len(demo_report.frame.rows) - len([*latency.front, *latency.near, *latency.missing])
    assert latency.front
    assert dominated == latency.wide.count('class="dot dominated')
