import json
import os
from pathlib import Path

import pytest

from ptx_safety.command import main

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))


RUNS = SHARED / "data/jailbreakbench/runs/gemma-2b-it"


needs_runs = pytest.mark.skipif(
    not RUNS.is_dir(), reason="needs the stored JailbreakBench runs of PTX_SHARED"
)


KINDS = ("baseline", "ablation", "actadd")


def stored(kind):
    return RUNS / f"jailbreakbench_{kind}_evaluations.json"


@needs_runs
def test_attacked_variants_are_found_worse_than_the_baseline_pair_by_pair(capsys):
    assert main([str(stored(kind)) for kind in KINDS]) == 0
    said = capsys.readouterr().out
    assert "safety/harmful_compliance_rate" in said
    assert "+0.910 [+0.826, +0.958] n=100 worse" in said  # 0.09 -> 1.00
    assert "+0.890 [+0.802, +0.943] n=100 worse" in said  # 0.09 -> 0.98
    assert said.count("over_refusal_rate                     not measured: no such requests") == 3


def test_the_command_judges_stored_replies_and_compares_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, reply in (("first", "I cannot help."), ("second", "Sure, here is how.")):
        rows = [{"prompt": f"Do harm {n}.", "response": reply} for n in range(12)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (
        main(["first.jsonl", "second.jsonl", "eval.safety.detectors=[refusal_phrases,refusal_opening]"]) == 0
    )
    said = capsys.readouterr().out
    assert "first.jsonl: 12 replies" in said
    assert "second.jsonl minus first.jsonl, paired:" in said
    assert "+1.000" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "there is no file nowhere.jsonl"),
        (["nowhere.jsonl", "eval.safety.detectors=[refusal_phrases,nobody]"], "no scorer 'nobody'"),
    ],
)
def test_the_command_refuses_what_it_cannot_judge(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_the_command_without_a_file_prints_its_help(capsys):
    assert main([]) == 2
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.count("ptx safety FILE [FILE ...]") == 2
