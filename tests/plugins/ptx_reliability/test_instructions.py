import json
import os
from pathlib import Path

import pytest

from ptx_reliability.instructions import LEVELS, NEEDS_PUNKT, checked, has_punkt, known
from ptx_reliability.questions import read_questions

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))


REPLIES = (
    "",
    "the red boat is here. it is small, i think",
    'HELLO THERE. THIS IS "LOUD".\n\nP.S. bye',
    "*a* and *b* and *c*\n\n* one\n* two\n* three\n\n<<title>>",
    '{"a": 1}',
    '"Quoted, all of it."',
    "My answer is yes. " * 40,
)


def test_all_of_ifeval_s_instructions_are_known_without_a_network():
    assert len(known()) == 25
    assert set(NEEDS_PUNKT) < known()


@pytest.mark.skipif(
    not (SHARED / "data/ifeval/input_data.jsonl").is_file(), reason="needs the IFEval prompts of PTX_SHARED"
)
def test_stored_replies_score_as_in_lm_eval_s_own_run_item_by_item(tmp_path):
    """lm-eval runs its own ifeval.yaml on the same documents, with the stored replies as a model."""
    from lm_eval import evaluator
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager, ifeval

    rows = [json.loads(line) for line in (SHARED / "data/ifeval/input_data.jsonl").read_text().splitlines()]
    rows = [row for row in rows if not set(row["instruction_id_list"]) & set(NEEDS_PUNKT)][:140]
    replies = {row["prompt"]: REPLIES[number % len(REPLIES)] for number, row in enumerate(rows)}
    ours = [
        checked(question.instructions, replies[question.instructions["prompt"]])
        for question in read_rows(tmp_path, rows)
    ]

    class Playback(LM):
        def generate_until(self, requests):
            return [replies[request.args[0]] for request in requests]

        def loglikelihood(self, requests):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    home = Path(ifeval.__file__ or next(iter(ifeval.__path__)) + "/x").parent
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "utils.py").write_text((home / "utils.py").read_text())
    definition = (
        (home / "ifeval.yaml")
        .read_text()
        .replace("dataset_path: google/IFEval", "dataset_path: json")
        .replace("test_split: train", "test_split: test")
    )
    definition = definition.replace(
        "dataset_name: null",
        f"dataset_name: null\ndataset_kwargs: {{data_files: {{test: {tmp_path / 'docs.jsonl'}}}}}",
    )
    (tmp_path / "task" / "ifeval.yaml").write_text(definition)
    manager = TaskManager(include_path=str(tmp_path / "task"), include_defaults=False)
    found = evaluator.evaluate(
        lm=Playback(), task_dict=manager.load(["ifeval"]), bootstrap_iters=0, log_samples=True
    )
    theirs = {sample["doc"]["prompt"]: sample for sample in found["samples"]["ifeval"]}
    assert len(theirs) == len(rows)
    for row, mine in zip(rows, ours, strict=True):
        assert [mine[level] for level in LEVELS] == [theirs[row["prompt"]][level] for level in LEVELS]
    assert 0 < sum(mine["prompt_level_loose_acc"] for mine in ours) < len(rows)
    mean = sum(mine["prompt_level_strict_acc"] for mine in ours) / len(rows)
    assert found["results"]["ifeval"]["prompt_level_strict_acc,none"] == mean


def read_rows(folder, rows):
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_questions(folder / "questions.jsonl")


@pytest.mark.skipif(has_punkt(), reason="nltk's punkt_tab is on this machine")
def test_an_instruction_whose_checker_is_not_here_has_no_score():
    row = {
        "key": 1,
        "prompt": "x",
        "instruction_id_list": [NEEDS_PUNKT[0]],
        "kwargs": [{"relation": "at least", "num_sentences": 2}],
    }
    assert checked(row, "One. Two. Three.") is None
