import pytest

from ptx import ConfigError
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx_judge import Judge, Rule, ledger
from ptx_judge.command import main, played
from ptx_judge.rank import order


def test_every_two_runs_are_asked_about_in_both_orders(scene):
    runs = {}
    for name in ("base", "tuned"):
        scene.judged(scene.Moody(), model=getattr(scene, name))
        runs[name] = {row["item"]: row for row in scene.rows.values()}
    runs["third"] = {item: {**row, "output": "dddddddd"} for item, row in runs["base"].items()}
    scene.plugin.log.clear()
    rounds = played(scene.run, Judge(scorer="it"), runs)
    assert scene.plugin.log == ["asked 8", "asked 10", "asked 10"]
    texts = {row["item"]: prompt for prompt, row in scene.rows.items()}
    found = {(game["a"], game["b"], texts[game["item"]]): game["outcome"] for game in rounds}
    assert found["base", "tuned", "longer?"] == 0.0
    assert found["base", "tuned", "odd?"] is None
    assert found["base", "third", "same?"] == 0.0
    assert found["tuned", "third", "seat?"] == 0.5
    assert (
        order([*rounds, {"item": "x", "a": "third", "b": "base", "outcome": 0.0}], list(runs))[0][0]
        == "third"
    )


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
        (["scorer.rule.words=5"], "no judge is named"),
    ],
)
def test_what_cannot_be_checked_is_refused(people, words, said):
    with pytest.raises(ConfigError, match=said):
        main(["check", str(people), *words])


def test_a_stray_word_is_refused(people, capsys):
    with pytest.raises(SystemExit):
        main(["check", str(people), "--nonsense"])
    assert "has no option '--nonsense'" in capsys.readouterr().err


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
