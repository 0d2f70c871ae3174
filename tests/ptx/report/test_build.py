import csv
import math
import re
import subprocess
import sys
from dataclasses import asdict
from html.parser import HTMLParser

import pytest

from ptx.errors import ConfigError
from ptx.files import read_json, write_json
from ptx.records import Metric
from ptx.report import build
from ptx.report.table.units import MINUS, SPACE, TIMES, metric_text, scale_of


def texts(report):
    return report.html.read_text(encoding="utf-8"), report.markdown.read_text(encoding="utf-8")


def table(html, heading):
    """The first table after a heading, as a list of rows of cells' texts."""
    part = html[html.index(heading) :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    return [
        [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in body.split("</tr>")[:-1]
    ]


def labels(report):
    return [row.label for row in report.frame.rows]


@pytest.fixture(scope="module")
def demo_report(demo, tmp_path_factory):
    return build([demo], tmp_path_factory.mktemp("out"))


def test_thirteen_runs_are_thirteen_rows_with_the_baseline_first(demo_report):
    assert labels(demo_report)[:4] == ["baseline", "sft", "sft · sparsegpt", "sft · gptq"]
    assert len(demo_report.records) == len(demo_report.frame.rows) == 13


def test_every_metric_appears_with_its_interval_and_n(demo_report):
    html, markdown = texts(demo_report)
    frame = demo_report.frame
    for row in frame.rows:
        for (name, segment), metric in row.metrics.items():
            text = metric_text(metric, scale_of(metric.unit, frame.values(name)))
            assert f" n={metric.n}" in text
            assert text in html, (row.label, name, segment)
            if not segment or name in frame.primary:
                assert text.replace(SPACE, " ") in markdown.replace("\\", ""), (row.label, name, segment)


def test_quality_latency_and_size_are_columns_of_the_main_table(demo_report):
    assert demo_report.frame.headline == "bench/mean"
    assert demo_report.frame.columns == [
        "bench/mean",
        "bench/tiny_answers/exact_match",
        "bench/tiny_choices/exact_match",
        "latency/request_seconds",
        "latency/p95_seconds",
        "latency/decode_tokens_per_second",
        "size/bytes_on_disk",
        "latency/peak_memory_bytes",
    ]


def test_the_headline_says_what_came_out(demo_report):
    html, markdown = texts(demo_report)
    for text in (html, markdown):
        assert "12 runs are compared with the untouched model on bench mean" in text
        assert "Best quality:" in text
        assert "Smallest without measurable loss:" in text
        assert f"4.0{TIMES} smaller than the baseline" in text
        assert re.search(r"Fastest:.* faster than the baseline", text)


def test_the_headline_counts_are_those_of_the_table(demo_report):
    html, _ = texts(demo_report)
    better, worse, same = map(
        int, re.search(r"(\d+) better, (\d+) worse, (\d+) not measurably", html).groups()
    )
    marks = [row[1][0] for row in table(html, 'id="results"')[1:]]
    assert (marks.count("▲"), marks.count("▼"), marks.count("≈")) == (better, worse, same)
    assert better > 0
    assert same > 0


def test_a_difference_inside_its_interval_is_never_called_better_or_worse(demo_report):
    html, _ = texts(demo_report)
    judged = 0
    for _, delta, *_ in table(html, 'id="results"')[1:]:
        mark, _, low, high = delta
        low, high = (float(end.strip("[],").replace(MINUS, "-")) for end in (low, high))
        if low <= 0 <= high:
            judged += 1
            assert mark == "≈"
    assert judged > 2


def test_equal_models_are_reported_as_no_difference_beyond_noise(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, skill=0.5, baseline=True)
    for name in ("sft", "dpo", "kto"):
        sweep.run({"method": name}, skill=0.5)
    html, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "<strong>no difference beyond noise.</strong>" in html
    assert "**no difference beyond noise.**" in markdown
    assert "No run is measurably faster than the baseline" in markdown
    assert "Nothing is smaller than the baseline" in markdown
    assert "▲" not in "".join(str(row) for row in table(html, 'id="results"'))


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
    html, markdown = texts(report)
    assert html.count("<script") == html.count("</script>") == 1  # the page's own
    assert "<img" not in html
    assert "<" not in re.sub(r"&lt;", "", markdown)
    assert not re.search(r"(?<!\\)!?(?<!\\)\[x(?<!\\)\]", markdown)
    assert "\u202e" not in labels(report)[1]
    for svg in (tmp_path / "out").glob("*.svg"):
        assert "<img" not in svg.read_text()
        assert "<script" not in svg.read_text()


def test_prompts_and_answers_of_the_example_rows_are_escaped(demo_report):
    html, _ = texts(demo_report)
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in html
    assert "&lt;b&gt;wrong&lt;/b&gt;" in html
    assert "42 &amp; &lt;more&gt;" in html
    assert html.count("<script") == 1


def test_the_page_needs_nothing_from_elsewhere(demo_report):
    html, _ = texts(demo_report)
    assert "default-src 'none'" in html

    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.found += [
                value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
            ]
            assert tag != "link"

    Links().feed(html)
    assert Links.found == []
    assert "url(http" not in html
    assert "@import" not in html


def test_the_page_is_well_formed(demo_report):
    html, _ = texts(demo_report)
    void = {"meta", "br", "rect", "circle", "line", "path", "polyline", "img"}

    class Balance(HTMLParser):
        open_tags: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in void:
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            if tag not in void:
                assert self.open_tags.pop() == tag, self.getpos()

    parser = Balance()
    parser.feed(html)
    assert parser.open_tags == []


def test_failed_unfinished_and_planned_runs_are_shown_with_the_reason(new_sweep, tmp_path):
    sweep = new_sweep(more_runs=["kto-later"])
    sweep.run({}, baseline=True)
    sweep.run({"method": "sft"}, skill=0.7)
    sweep.run({"method": "dpo"}, status="failed")
    sweep.run({"method": "grpo"}, status="unfinished")
    report = build([sweep.folder], tmp_path / "out")
    html, markdown = texts(report)
    assert [row.status for row in report.frame.rows] == ["done", "done", "failed", "unfinished", "planned"]
    for text in (html, markdown):
        assert "3 runs without results: 1 failed, 1 planned but not started, 1 unfinished." in text
        assert "StepError: loss is nan at step 12" in text
        assert "train.py" in text
        assert "line 77, in train" in text
        assert "no result.json: still running, or killed" in text
        assert "kto-later" in text
    assert {"failed", "unfinished", "planned"} <= {
        word for row in table(html, 'id="results"') for cell in row for word in cell
    }


def test_runs_of_a_sweep_over_seeds_alone_are_named_by_what_was_typed(new_sweep, tmp_path):
    sweep = new_sweep()
    typed = [
        "model=tiny",
        "method=dpo",
        "method.beta=0.3",
        "eval=[bench]",
        "eval.bench.limit=5",
        "out=elsewhere",
    ]
    for seed in range(2):
        sweep.run({"seed": str(seed)}, seed=seed, overrides=[*typed, f"seed={seed}"])
    (row,) = build([sweep.folder], tmp_path / "out").frame.rows
    assert row.label == "dpo · method.beta=0.3"


def test_runs_that_differ_only_in_their_seed_are_one_row(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    for seed in range(3):
        sweep.run({"method": "sft", "seed": str(seed)}, skill=0.7, seed=seed)
    sweep.run({"method": "dpo", "seed": "0"}, skill=0.5)
    report = build([sweep.folder], tmp_path / "out")
    assert labels(report) == ["baseline", "sft", "dpo"]
    assert len(report.records) == 5
    row = report.frame.rows[1]
    values = [
        metric.value for record in row.records for _, metric in record.metrics if metric.name == "bench/mean"
    ]
    assert row.metric("bench/mean").value == pytest.approx(sum(values) / 3)
    html, markdown = texts(report)
    assert "3 of 3 seeds" in html
    assert "3 of 3 seeds" in markdown


def test_a_seed_that_failed_is_counted_and_shown(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    sweep.run({"method": "sft", "seed": "0"}, skill=0.7)
    sweep.run({"method": "sft", "seed": "1"}, seed=1, status="failed")
    html, _ = texts(build([sweep.folder], tmp_path / "out"))
    assert "1 of 2 seeds" in html
    assert "1 run without results: 1 failed." in html


def test_runs_with_other_settings_are_not_taken_for_seeds(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "sft", "method.beta": "0.1"})
    sweep.run({"method": "sft", "method.beta": "0.2"})
    assert len(build([sweep.folder], tmp_path / "out").frame.rows) == 2


def test_the_same_run_in_two_sweeps_counts_once(new_sweep, tmp_path):
    first, second = new_sweep(name="monday"), new_sweep(name="tuesday")
    for sweep in (first, second):
        sweep.run({"method": "sft"}, skill=0.6)
    report = build([first.folder, second.folder], tmp_path / "out")
    assert len(report.frame.rows) == 1
    assert "Repeated with the same configuration and seed" in texts(report)[0]


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


def test_the_same_records_give_the_same_bytes(demo, tmp_path):
    first, second = build([demo], tmp_path / "a"), build([demo], tmp_path / "b")
    for name in ("markdown", "html", "csv"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_building_again_leaves_no_other_files(demo, tmp_path):
    build([demo], tmp_path)
    build([demo], tmp_path)
    expected = ["quality-latency.svg", "quality-size.svg", "report.csv", "report.html", "report.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_csv_holds_every_metric_of_every_record_unrounded(demo_report):
    with demo_report.csv.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    wanted = [
        (record.id, evaluator, metric)
        for row in demo_report.frame.rows
        for record in row.records
        for evaluator, metric in record.metrics
    ]
    assert len(lines) == len(wanted)
    for line, (run, evaluator, metric) in zip(lines, wanted, strict=True):
        numbers = {key: float(line[key]) for key in ("value", "low", "high")}
        read = Metric(
            line["metric"],
            **numbers,
            unit=line["unit"],
            better=line["better"],
            n=int(line["n"]),
            segment=line["segment"],
        )
        assert (line["run"], line["evaluator"], asdict(read)) == (run, evaluator, asdict(metric))


def test_a_run_without_metrics_is_a_line_of_the_csv(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "dpo"}, status="unfinished")
    with build([sweep.folder], tmp_path / "out").csv.open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["status"], line["metric"]) == ("unfinished", "")


def test_metrics_of_evaluators_nobody_here_knows_are_columns_too(new_sweep, tmp_path):
    sweep = new_sweep()
    extra = [
        Metric("judge/win_rate", 0.61, "fraction", "higher", 0.55, 0.67, 200),
        Metric("odd", 3.2, "furlongs", "lower", 3.1, 3.3, 4),
    ]
    sweep.run({"method": "sft"}, extra=extra)
    report = build([sweep.folder], tmp_path / "out")
    assert {"judge/win_rate", "odd"} <= set(report.frame.columns)
    for text in texts(report):
        assert "0.610 [0.550, 0.670] n=200" in text
        assert "3.20 furlongs [3.10, 3.30] n=4" in text.replace(SPACE, " ")


def test_without_a_baseline_the_first_row_stands_in_and_the_report_says_so(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "sft"}, skill=0.3)
    sweep.run({"method": "dpo"}, skill=0.8)
    _, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "1 run is compared with sft (the first, as none is the untouched model)" in markdown
    assert "1 better, 0 worse" in markdown


def test_rows_are_compared_with_the_baseline_of_their_own_model(new_sweep, tmp_path):
    one, other = new_sweep(name="one", model="tiny"), new_sweep(name="other", model="larger")
    for sweep in (one, other):
        sweep.run({}, baseline=True, label=f"baseline model={sweep.model}")
        sweep.run({"model": sweep.model, "method": "sft"}, skill=0.7)
    rows = build([tmp_path / "runs"], tmp_path / "out").frame.rows
    references = {row.label: row.reference.label for row in rows if row.reference}
    assert references == {"tiny · sft": "baseline model=tiny", "larger · sft": "baseline model=larger"}


def test_a_lone_run_is_labelled_by_what_was_typed(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, label="method=sft method.max_steps=10 data=tiny eval=[bench]")
    assert labels(build([sweep.folder], tmp_path / "out")) == ["sft · method.max_steps=10"]


def test_a_few_bytes_are_neither_better_nor_worse(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True, size=1_000_000)
    sweep.run({"method": "sft"}, size=999_000)
    sweep.run({"method": "sft", "compress": "[gptq]"}, size=900_000)
    report = build([sweep.folder], tmp_path / "out")
    on_disk = report.frame.columns.index("size/bytes_on_disk") + 2
    marks = ["".join(row[on_disk]) for row in table(texts(report)[0], 'id="results"')]
    assert ["=" in text for text in marks] == [False, True, False]
    assert ["▲" in text for text in marks] == [False, False, True]


def test_the_demonstration_model_is_called_what_it_is(demo_report, new_sweep, tmp_path):
    other = new_sweep(model="org/other")
    other.run({"method": "sft"})
    assert all("demonstration and test model" in text for text in texts(demo_report))
    assert not any(
        "demonstration and test model" in text for text in texts(build([other.folder], tmp_path / "out"))
    )


def test_segments_have_a_table_per_dimension(demo_report):
    html, markdown = texts(demo_report)
    for dimension in ("skill", "language", "difficulty"):
        assert f"<h3>By {dimension}</h3>" in html
        assert f"### By {dimension}" in markdown
    assert re.search(r'class="num h-?[123]"', html)


def test_flips_show_items_that_changed_sides(demo_report):
    html, _ = texts(demo_report)
    lost, gained = map(int, re.search(r"Flips against baseline: (\d+) lost, (\d+) gained", html).groups())
    # the plain difference in right answers is what the flips explain
    row, base = demo_report.frame.rows[1], demo_report.frame.rows[0]
    right = [
        round(r.metric(f"bench/{task}/exact_match").value * n)
        for r in (row, base)
        for task, n in (("tiny_answers", 180), ("tiny_choices", 120))
    ]
    assert gained - lost == right[0] + right[1] - right[2] - right[3]


def test_steps_show_who_shares_them(demo_report):
    html, _ = texts(demo_report)
    steps = {row[0][0]: row for row in table(html, 'id="steps"')}
    assert steps["sft"][5] == ["3", "rows"]
    assert steps["sft"][3] == ["32", "s"]


def test_a_shared_training_curve_is_drawn_once(demo_report):
    html, _ = texts(demo_report)
    assert html.count('class="spark"') == 5  # a loss for each of four methods, and the reward of grpo
    assert "shared by 3 rows" in html


def test_configuration_is_shown_where_it_differs_from_the_baseline(demo_report):
    html, _ = texts(demo_report)
    part = html[html.index("Configuration, where it differs from baseline") :]
    assert "method.learning_rate" in part[:1500]
    assert "compress.gptq.bits" in html


def test_sections_of_plugins_are_put_in_as_they_are(demo, tmp_path):
    asked = []

    def sections(records, folder):
        asked.append((len(records), folder))
        return ["<h2>Energy</h2><p>0.1 Wh</p>"]

    assert "<h2>Energy</h2><p>0.1 Wh</p>" in texts(build([demo], tmp_path, sections=sections))[0]
    assert asked == [(13, tmp_path)]
    assert "<h2>Other</h2>" in texts(build([demo], tmp_path, sections=["<h2>Other</h2>"]))[0]


def test_a_folder_that_is_absent_or_holds_no_runs_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder .*nowhere"):
        build([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(ConfigError, match="no runs in"):
        build([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_infinite_bounds_and_missing_values_are_drawn_and_written(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run(
        {}, baseline=True, extra=[Metric("alone/score", 0.5, "fraction", "higher", -math.inf, math.inf, 1)]
    )
    for text in texts(build([sweep.folder], tmp_path / "out")):
        assert f"0.500 [{MINUS}∞, ∞] n=1" in text


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
        "numpy",
        "matplotlib",
    ]
    code = (
        "import sys; from pathlib import Path; from ptx.report import build;"
        f"build([Path({str(demo)!r})], Path({str(tmp_path / 'out')!r}));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
