"""ptx advise: what is advised was planned, and what does not fit is shown with its reason."""

import json

import pytest

from ptx.cli import main


@pytest.fixture
def advised(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(rows, *words):
        (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        capsys.readouterr()
        code = main(["advise", "data=./my.jsonl", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


PAIRS = [{"prompt": f"question {n}", "chosen": f"yes {n}", "rejected": f"no, {n} is not"} for n in range(40)]


def test_each_way_has_its_reason_its_command_and_its_forecast(advised):
    code, out, err = advised(PAIRS, "model=tiny")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "40 rows of pairs"
    assert "   ptx train method=dpo method.loss=ipo lora=lora data=./my.jsonl model=tiny" in lines
    assert any(line.startswith("   memory: dpo needs about ") for line in lines)
    assert "length alone tells the sides apart" in out  # the finding, in place of the note
    words = "lora=lora 'seed=range(0,3)' data=./my.jsonl model=tiny"
    assert f"  ptx train -m method=dpo method.loss=ipo,sigmoid {words}" in lines
    assert lines[-1] == f"  ptx train -m method=dpo,orpo,simpo {words}"


def test_json_holds_facts_ways_and_notes(advised):
    said = json.loads(advised(PAIRS, "model=tiny", "goal=small", "--json")[1])
    assert (said["facts"]["rows"], said["facts"]["goal"]) == (40, "small")
    assert all(way["command"].startswith("ptx train method=") and not way["refused"] for way in said["ways"])
    assert "compress=[],[gptq],[sparsegpt]" in said["sweeps"][-1]["command"]
    assert any("length alone" in note for note in said["notes"])


def test_what_the_plan_refuses_is_not_advised(advised):
    rows = [{"prompt": f"question {n}", "completion": f"yes {n}", "label": True} for n in range(40)]
    code, out, _ = advised(rows, "model=tiny")
    assert code == 0
    assert "not here: single replies with a label are enough" in out
    assert "all 40 labels of my.jsonl are true, so there is nothing to distinguish" in out
    assert "in one report" not in out


def test_graded_replies_are_paired_before_anything_is_imitated(advised):
    rows = [
        {"prompt": f"question {n // 2}", "completion": f"reply {n} of it.", "score": n % 5} for n in range(40)
    ]
    code, out, _ = advised(rows, "model=tiny")
    assert code == 0
    assert "   ptx data pairs data=./my.jsonl score=score out=./pairs.jsonl" in out.splitlines()
    assert "ptx train method=sft" not in out


def test_what_the_plan_finds_in_the_rows_is_said(advised):
    rows = [{"prompt": f"question {n}?", "completion": f"yes, {n}.", "label": n % 40 > 0} for n in range(80)]
    code, out, _ = advised(rows, "model=tiny")
    assert code == 0
    assert "the labels are unbalanced: 78 true, 2 false; set the weights of the two labels" in out


def test_a_goal_that_is_none_and_missing_data_are_said_together(capsys):
    assert main(["advise", "goal=tiny"]) == 2
    said = capsys.readouterr().err
    assert "no goal 'tiny'; known: quality, small, fast, safe" in said
    assert "type ptx advise data=./my.jsonl" in said
