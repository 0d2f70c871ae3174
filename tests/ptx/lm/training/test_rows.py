"""ptx's rows as TRL's columns."""

from ptx.lm.training.rows import as_text, needs_template, trl_rows

TURN = [{"role": "user", "content": "why?"}]


def test_texts_become_turns_where_there_is_a_template():
    rows = [{"prompt": "why?", "chosen": "so", "rejected": "no", "skill": "reason"}]
    assert trl_rows("pairs", rows, chat=True) == [
        {
            "prompt": TURN,
            "chosen": [{"role": "assistant", "content": "so"}],
            "rejected": [{"role": "assistant", "content": "no"}],
        }
    ]


def test_texts_stay_texts_where_there_is_none():
    assert trl_rows("completions", [{"prompt": "why?", "completion": "so"}], chat=False) == [
        {"prompt": "why?", "completion": "so"}
    ]


def test_turns_stay_turns():
    rows = [{"prompt": TURN, "completion": [{"role": "assistant", "content": "so"}], "label": True}]
    assert trl_rows("thumbs", rows, chat=True) == rows


def test_columns_that_trl_gives_a_meaning_are_left_out():
    rows = [{"text": "a", "images": ["x"], "input_ids": [1], "tools": "y"}]
    assert trl_rows("text", rows, chat=True) == [{"text": "a"}]


def test_answers_become_text_and_may_be_absent():
    rows = [{"prompt": "one plus one", "answer": 2}, {"prompt": "who?", "answer": None}, {"prompt": "why?"}]
    assert [row["answer"] for row in trl_rows("prompts", rows, chat=False)] == ["2", None, None]


def test_only_conversations_need_a_template():
    assert needs_template("messages", [])
    assert needs_template("prompts", [{"prompt": "a"}, {"prompt": TURN}])
    assert not needs_template("prompts", [{"prompt": "a"}])
    assert not needs_template("text", [{"text": "a"}])


def test_a_scorer_reads_one_turn_as_its_text_and_several_with_their_roles():
    assert as_text(TURN) == "why?"
    assert as_text([{"role": "assistant", "content": None}]) == ""
    assert as_text([{"role": "system", "content": "be kind"}, *TURN]) == "system: be kind\n\nuser: why?"
