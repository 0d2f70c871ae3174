import json
import math
import os
from pathlib import Path

import pytest

from ptx_reliability import EMBEDDED, Reliability
from ptx_reliability.formats import wrong_form, wrong_json
from ptx_reliability.grounded import abstains, citations, supported, with_sources
from ptx_reliability.instructions import LEVELS, NEEDS_PUNKT, checked, has_punkt, known
from ptx_reliability.questions import problems, read_questions

SHARED = Path(os.environ.get("PTX_SHARED", Path(__file__).parents[4] / "shared"))
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
REPLIES = (
    "",
    "the red boat is here. it is small, i think",
    'HELLO THERE. THIS IS "LOUD".\n\nP.S. bye',
    "*a* and *b* and *c*\n\n* one\n* two\n* three\n\n<<title>>",
    '{"a": 1}',
    '"Quoted, all of it."',
    "My answer is yes. " * 40,
)


@pytest.mark.parametrize(
    "text",
    [
        "I don\N{RIGHT SINGLE QUOTATION MARK}t know.",
        "That is NOT MENTIONED in the text",
        "No lo sé",
        "Ich weiß nicht.",
    ],
)
def test_a_reply_that_declines_is_told(text):
    assert abstains(text)
    assert not abstains("The answer is 7.")
    assert abstains("Pass.", ["pass"])


@pytest.mark.parametrize(
    ("text", "source", "value"),
    [
        ("The river of Sage is Roku.", "The river of Sage is Roku. The king is Bo.", 1),
        ("The river of Sage is Muli.", "The river of Sage is Roku.", 0),  # 2 of 3 words
        ("It was built in 1887.", "It was built in 1889.", 0),  # every number must be there
        (
            "It was built in 1,889 [1].",
            "It was built in 1889.",
            1,
        ),  # a citation's number is none of the reply's
        ("Roku.", None, math.nan),
        ("It is the.", "Roku", math.nan),  # no content words
    ],
)
def test_a_source_supports_what_it_mentions(text, source, value):
    assert supported(text, source, 0.75) == pytest.approx(value, nan_ok=True)


def test_citations_belong_to_their_sentences():
    assert citations("Roku flows north [1]. Muli does not [2, a-3]. No source here.") == [
        ("Roku flows north [1].", "1"),
        ("Muli does not [2, a-3].", "2"),
        ("Muli does not [2, a-3].", "a-3"),
    ]
    assert citations("Nothing.") == []
    assert with_sources("Why?", {"1": "A.", "b": "B."}) == "[1] A.\n[b] B.\nWhy?"


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ('{"answer": 3}', ""),
        ('```json\n{"answer": 3}\n```', ""),
        ('Here: {"answer": 3}', "not JSON"),
        ('{"answer": "3"}', "$.answer: '3' is not of type 'integer'"),
        ("{}", "'answer' is a required property"),
    ],
)
def test_json_is_held_against_its_schema(reply, wrong):
    found = wrong_json(reply, SCHEMA)
    assert found == wrong == "" or (wrong and wrong in found)


def test_a_pattern_matches_the_whole_reply():
    assert wrong_form(" The answer is 3.\n", r"The answer is \d+\.") == ""
    assert wrong_form("Well. The answer is 3.", r"The answer is \d+\.")


def test_all_of_ifeval_s_instructions_are_known_without_a_network():
    assert len(known()) == 25
    assert set(NEEDS_PUNKT) < known()


@pytest.mark.skipif(
    not (SHARED / "data/ifeval/input_data.jsonl").is_file(), reason="needs the IFEval prompts of PTX_SHARED"
)
def test_stored_replies_score_as_in_lm_eval_s_own_run_item_by_item(tmp_path):
    """lm-eval's evaluator with its own ifeval.yaml over the same documents, answered by a model that only
    plays the replies back.
    """
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


def test_the_embedded_questions_serve_every_part_and_are_held_out():
    from ptx_tiny.data import messages

    questions = read_questions(EMBEDDED)
    assert problems(Reliability()) == []
    trained = {turn["content"] for row in messages() for turn in row["messages"]}
    assert not trained & {question.turns[-1]["content"] for question in questions}
    parts = (
        [question for question in questions if question.cites],
        [question for question in questions if not question.answerable],
    )
    assert [len(part) for part in parts] == [12, 12]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": 3}, "prompt must be text or messages"),
        ({"prompt": "q", "answer": [3]}, "answer must be text or a number"),
        ({"prompt": "q", "schema": {"type": "nothing"}}, "schema is no JSON schema"),
        ({"prompt": "q", "pattern": "("}, "pattern is no regular expression"),
        (
            {"prompt": "q", "sources": ["a"], "cites": ["2"]},
            "cites names '2', which is none of the sources 1",
        ),
        (
            {"prompt": "q", "instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]},
            "did you mean 'punctuation:no_comma'",
        ),
        (
            {"prompt": "q", "instruction_id_list": ["punctuation:no_comma"]},
            "kwargs must be a list with one object for each",
        ),
        ({"prompt": "q", "answerable": "no"}, "answerable must be true or false"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_by_line(tmp_path, row, said):
    (tmp_path / "q.jsonl").write_text(
        json.dumps({"prompt": "fine", "answer": 1}) + "\n" + json.dumps(row) + "\n"
    )
    (problem,) = problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))
    assert said in problem.what
    assert "q.jsonl:2:" in problem.what


def test_all_wrong_rows_are_said_at_once_and_rows_that_check_nothing_too(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"answer": 1}\nno json\n')
    assert len(problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))) == 2
    (tmp_path / "q.jsonl").write_text('{"prompt": "hello"}\n')
    assert "nothing can be checked" in problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))[0].what
    assert problems(Reliability(questions=["nowhere.jsonl"]))
