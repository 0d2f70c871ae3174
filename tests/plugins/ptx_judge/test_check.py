"""Judges against people: PandaLM's verdicts as a plain script counts them, and the commands."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from ptx import ConfigError
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx_judge import Rule, ledger
from ptx_judge.agreement import of_judge, of_people
from ptx_judge.command import main
from ptx_judge.verdicts import load

PANDALM = Path(os.environ.get("PTX_SHARED", "shared")) / "data" / "pandalm"
with_pandalm = pytest.mark.skipif(
    not PANDALM.is_dir(), reason="PandaLM's verdicts are not here ($PTX_SHARED/data/pandalm)"
)


def plain_kappa(a, b):
    """Cohen 1960, written out."""
    n, of_a, of_b = len(a), Counter(a), Counter(b)
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / n
    chance = sum(of_a[label] * of_b[label] for label in of_a) / n**2
    return (observed - chance) / (1 - chance)


@with_pandalm
def test_pandalm_s_people_and_judges_agree_as_a_plain_script_says():
    _, persons, pairs, stored = load(PANDALM)
    rows = json.loads((PANDALM / "testset-v1.json").read_text())
    people = {name: [str(row[name]) for row in rows] for name in persons}
    found = {line.who: line for line in of_people(persons, pairs) if line.coefficient == "Cohen's kappa"}
    assert len(found) == 3
    for who, line in found.items():
        a, b = (people[name] for name in who.split(" and "))
        assert line.share == sum(x == y for x, y in zip(a, b, strict=True)) / 999
        assert line.value == pytest.approx(plain_kappa(a, b), abs=1e-12)
        assert line.low < line.value < line.high

    files = {"gpt": "gpt-3.5-turbo-testset-v1.json", "pandalm": "pandalm-7b-testset-v1.json"}
    assert {judge.name: judge.unreadable for judge in stored} == {"gpt": 25, "pandalm": 0}
    for judge in stored:
        said = {
            row["idx"]: str(row[f"{judge.name}_result"]).replace("Tie", "0")
            for row in json.loads((PANDALM / files[judge.name]).read_text())
        }
        kept = [place for place, row in enumerate(rows) if said[row["idx"]] in "012"]
        words = [said[rows[place]["idx"]] for place in kept]
        lines = {line.who: line for line in of_judge(judge, persons, pairs)}
        for name in persons:
            line = lines[f"{judge.name} and {name}"]
            assert line.value == pytest.approx(
                plain_kappa(words, [people[name][place] for place in kept]), abs=1e-12
            )
        most = [Counter(people[name][place] for name in persons).most_common(1)[0][0] for place in kept]
        assert lines[f"{judge.name} and the majority"].value == pytest.approx(
            plain_kappa(words, most), abs=1e-12
        )


@with_pandalm
def test_pandalm_s_people_together_agree_as_fleiss_and_krippendorff_count():
    _, persons, pairs, _ = load(PANDALM)
    table = [Counter(pair.labels) for pair in pairs]
    n, m = len(table), 3
    observed = sum(sum(count * (count - 1) for count in row.values()) for row in table) / (n * m * (m - 1))
    shares = [sum(row[label] for row in table) / (n * m) for label in "012"]
    fleiss = (observed - sum(share**2 for share in shares)) / (1 - sum(share**2 for share in shares))
    totals = [sum(row[label] for row in table) for label in "012"]
    expected = 1 - sum(total * (total - 1) for total in totals) / (n * m * (n * m - 1))
    found = {line.coefficient: line.value for line in of_people(persons, pairs)}
    assert found["Fleiss' kappa"] == pytest.approx(fleiss, abs=1e-12)
    assert found["Krippendorff's alpha"] == pytest.approx(1 - (1 - observed) / expected, abs=1e-12)


ROWS = [
    {
        "idx": n,
        "instruction": "Say something.",
        "input": "",
        "response1": "one two three",
        "response2": "go on " * 60,
        "annotator1": label,
        "annotator2": label,
    }
    for n, label in enumerate([1] * 12 + [2] * 4 + [0] * 4)
]


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A folder with twenty pairs; the rule judge prefers the first answer, which does not run in circles."""
    folder = tmp_path / "people"
    folder.mkdir()
    rows = [{**row, "response2": row["response1"]} if row["annotator1"] == 0 else row for row in ROWS]
    (folder / "people.json").write_text(json.dumps(rows))
    monkeypatch.chdir(tmp_path)
    get_host.cache_clear()
    return folder


def test_a_judge_s_check_is_printed_and_kept(people, capsys):
    assert main(["check", str(people), "--judge", "rule"]) == 0
    out = capsys.readouterr().out
    assert "annotator1 and annotator2" in out
    found = ledger.find("rule", Rule(), 0.0)
    assert found.n == 20
    assert found.agreement == 0.8  # 12 firsts and 4 ties of 20
    assert f"kappa {found.kappa:.3f}" in out
    assert ledger.find("rule", Rule(words=7), 0.0) is None


def test_a_judge_that_compares_is_asked_in_both_orders(people, serve, monkeypatch, capsys):
    server = serve(
        judge=lambda messages: (
            "[[A]]" if "go on" in messages[1]["content"].split("assistant B")[1] else "[[C]]"
        )
    )
    words = [
        f"scorer.endpoint.base_url={server.url}",
        "scorer.endpoint.model=m",
        "scorer.endpoint.key_env=''",
    ]
    assert main(["check", str(people), "--judge", "endpoint", *words]) == 0
    assert len(server.billed) == 2  # twenty pairs, of which one text differs, in two orders
    assert "both orders agree in 0.0%" in capsys.readouterr().out
    (path,) = ledger.checks_of("endpoint").glob("*.json")
    assert read_json(path)["consistency"] == 0.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--judge", "nobody"], "no scorer 'nobody'"),
        (["--judge", "endpoint"], "base_url must be"),
        (["scorer.rule.words=5"], "no judge is asked"),
    ],
)
def test_what_cannot_be_checked_is_told(people, words, said):
    with pytest.raises(ConfigError, match=said):
        main(["check", str(people), *words])


def test_a_stray_word_is_refused(people, capsys):
    with pytest.raises(SystemExit):
        main(["check", str(people), "--nonsense"])
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"instruction": "q", "response1": "a", "response2": "b"}],
            "must hold one file of human verdicts, found 0",
        ),
        ([{"instruction": "q", "response1": "a", "annotator1": 1}], "row 1: 'response2'"),
        (
            [{"instruction": "q", "response1": "a", "response2": "b", "annotator1": 3}],
            "must be 1, 2 or 0 .*got 3",
        ),
    ],
)
def test_files_without_verdicts_are_told(people, rows, said):
    (people / "people.json").write_text(json.dumps(rows))
    with pytest.raises(ConfigError, match=said):
        load(people)


def test_a_split_vote_has_no_majority(people):
    rows = [{**ROWS[0], "annotator1": 1, "annotator2": 2}]
    (people / "people.json").write_text(json.dumps(rows))
    assert load(people)[2][0].majority is None


@pytest.mark.slow
def test_the_command_line_judges_the_embedded_model_and_a_report_marks_it(tmp_path, monkeypatch, capsys):
    """As a user types it, from an empty folder."""
    from ptx.cli import main as ptx

    monkeypatch.chdir(tmp_path)
    get_host.cache_clear()
    words = [
        "model=tiny",
        "eval=[judge]",
        "eval.judge.limit=12,10",
        "name=study",
        "eval.judge.max_new_tokens=16",
    ]
    assert ptx(["eval", "-m", *words]) == 0
    folder = tmp_path / "ptx-out" / "runs" / "study"
    page = (folder / "report" / "report.html").read_text()
    assert "never checked against people" in page
    rows = [list(read_rows(path)) for path in sorted(folder.glob("*/evaluations/judge.jsonl"))]
    assert sorted(map(len, rows)) == [10, 12]
    scores = [row["scores"]["judge/win_rate_unchecked"] for row in rows[0]]
    assert set(scores) <= {
        0,
        0.5,
    }  # against the references: the rule counts what agrees with them, and nothing agrees better than they do
    assert 0 in scores
    capsys.readouterr()
    assert main(["rank", str(folder)]) == 0
    assert "10 games of 2 runs" in capsys.readouterr().out
