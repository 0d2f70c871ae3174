"""One call from folders to files: complete, safe, repeatable."""

import re
import subprocess
import sys

import pytest

from ptx.errors import ConfigError
from ptx.records import Metric
from ptx.report import build
from ptx.report.table.shown import shown_rows
from ptx.report.table.units import SPACE, metric_text, scale_of
from tests.ptx.report.pages import column, labels, texts


def test_every_metric_appears_with_its_interval_and_n(demo_report):
    report = demo_report
    html, markdown = texts(report)
    frame, shown = report.frame, shown_rows(report.frame, 10)
    for row in frame.rows:
        for (name, segment), metric in row.metrics.items():
            text = metric_text(metric, scale_of(metric.unit, frame.values(name)))
            assert f" n={metric.n}" in text
            if segment and name in frame.columns:
                assert text.partition(" n=")[0] in html, (row.label, name, segment)
            if not segment:
                ends = [column(report, name, end)[row.number - 1] for end in ("v", "lo", "hi")]
                assert ends == pytest.approx([metric.value, metric.low, metric.high], rel=1e-5)
            if row in shown and (not segment or name in frame.primary):
                assert text.replace(SPACE, " ") in markdown.replace("\\", ""), (row.label, name, segment)


def test_text_of_models_and_labels_is_escaped_everywhere(demo, new_sweep, tmp_path):
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> | ![x](https://evil.example) \u202e"
    sweep = new_sweep()
    sweep.run({}, baseline=True, command=nasty, versions={nasty: nasty}, host={"name": nasty})
    sweep.run(
        {"method": nasty},
        skill=0.8,
        extra=[Metric(f"{nasty}/score", 0.5, nasty, "higher", 0.4, 0.6, 9, f"{nasty}={nasty}")],
    )
    sweep.run({"method": "sft"}, status="failed", label=nasty)
    report = build([sweep.folder], tmp_path / "out", title=nasty)
    html, markdown = report.html.read_text(encoding="utf-8"), texts(report)[1]
    assert html.count("<script") == html.count("</script>") == 3  # the data and the page's own
    assert "<img" not in html
    assert "<" not in re.sub(r"&lt;", "", markdown)
    assert not re.search(r"(?<!\\)!?(?<!\\)\[x(?<!\\)\]", markdown)
    assert "\u202e" not in labels(report)[1]
    for svg in (tmp_path / "out").glob("*.svg"):
        assert "<img" not in svg.read_text()
        assert "<script" not in svg.read_text()


def test_the_same_records_give_the_same_bytes(demo, tmp_path):
    first, second = build([demo], tmp_path / "a"), build([demo], tmp_path / "b")
    for name in ("markdown", "html", "csv"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_building_again_leaves_no_other_files(demo, tmp_path):
    build([demo], tmp_path)
    build([demo], tmp_path)
    files = ("report.csv", "report.html", "report.json", "report.md", "report.parquet")
    expected = ["quality-latency.svg", "quality-size.svg", *files]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_a_folder_that_is_absent_or_holds_no_runs_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder .*nowhere"):
        build([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(ConfigError, match="no runs in"):
        build([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_report_imports_no_ml_library(demo, tmp_path):
    heavy = [
        "torch",
        "transformers",
        "trl",
        "datasets",
        "wandb",
        "llmcompressor",
        "lm_eval",
        "peft",
        "scipy",
        "pandas",
        "matplotlib",
    ]
    code = (
        "import sys; from pathlib import Path; from ptx.report import build;"
        f"build([Path({str(demo)!r})], Path({str(tmp_path / 'out')!r}));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_folders_of_the_machine_are_not_named(new_sweep, tmp_path):
    sweep, here = new_sweep(), str(tmp_path.resolve())
    sweep.run({"method": "sft"}, command=f"ptx train data={here}/secret/place")
    html, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "/secret/place" in html
    assert here not in html
    assert here not in markdown
