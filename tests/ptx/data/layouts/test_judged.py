"""Public layouts of several replies and a verdict, with their full column lists: all are read as pairs."""

import json

import pytest

from ptx.data import check

GOOD, POOR, WORST = "Because air scatters blue light.", "It is painted.", "No."
Q = "Why is the sky blue?"


def turns(*texts):
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def parts(*texts):
    """The messages of Arena's newer files: the content is a list of parts."""
    part = {"type": "text", "image": None, "mimeType": None}
    return [{**turn, "content": [{**part, "text": turn["content"]}]} for turn in turns(*texts)]


def arena(winner, a, b, **more):
    talks = {"conversation_a": turns(Q, a), "conversation_b": turns(Q, b)}
    names = {"question_id": "q", "model_a": "koala-13b", "model_b": "vicuna-13b", "winner": winner}
    rest = {"turn": 1, "anony": True, "language": "English", "tstamp": 1.6, "openai_moderation": {"f": False}}
    return {**names, "judge": "arena_user_1", **talks, **rest, "toxic_chat_tag": {"f": False}, **more}


def arena_55k(a, b, hot):
    said = {"prompt": json.dumps([Q]), "response_a": json.dumps([a]), "response_b": json.dumps([b])}
    names = ("winner_model_a", "winner_model_b", "winner_tie")
    return {"id": 1, "model_a": "g", "model_b": "h", **said, **dict(zip(names, hot, strict=True))}


def arena_140k(winner, a, b):
    row = {**arena(winner, a, b), "conversation_a": parts(Q, a), "conversation_b": parts(Q, b)}
    return {**row, "full_conversation": [], "conv_metadata": {"t": 1}, "is_code": False}


def shp(label, a, b):
    ids = {"post_id": "qt", "domain": "askculinary_train", "upvote_ratio": 0.98, "history": Q}
    sides = {"c_root_id_A": "a", "c_root_id_B": "b", "created_at_utc_A": 2, "created_at_utc_B": 1}
    scores = {"score_A": 9 if label else 3, "score_B": 5, "human_ref_A": a, "human_ref_B": b}
    return {**ids, **sides, **scores, "labels": label, "seconds_difference": 1.0, "score_ratio": 1.8}


def helpsteer3(preference, one, two):
    judged = [{"score": preference, "reasoning": "r", "feedback1": "f", "feedback2": "g"}]
    said = {"context": turns("hi", "hello", Q), "response1": one, "response2": two}
    rest = {"overall_preference": preference, "individual_preference": judged}
    return {"domain": "general", "language": "english", **said, **rest}


def helpsteer2(strength, one, two):
    said = {"split": "train", "prompt": Q, "response_1": one, "response_2": two}
    told = {"preference_strength": strength, "preference_statement": "s", "preference_elaboration": "e"}
    return {**said, **told, "three_most_similar_preferences": [], "all_preferences_unprocessed": []}


def safe_rlhf(better, safer, zero, one):
    row = {"prompt": Q, "response_0": zero, "response_1": one, "prompt_source": "Alpaca3-70B"}
    for number in (0, 1):
        row |= {f"response_{number}_source": "x", f"is_response_{number}_safe": True}
        row |= {f"response_{number}_harm_category": {"Violence": False}, f"response_{number}_sha256": "a"}
        row |= {f"response_{number}_severity_level": 0}
    return {**row, "better_response_id": better, "safer_response_id": safer}


def webgpt(score, zero, one):
    row = {"question": {"dataset": "eli5", "id": "1", "full_text": Q}}
    for number, answer, points in ((0, zero, score), (1, one, -score)):
        row |= {f"quotes_{number}": {"title": ["t"], "extract": ["e"]}, f"answer_{number}": answer}
        row |= {f"tokens_{number}": {"prefix": [1], "completion": [2]}, f"score_{number}": points}
    return row


def summaries(choice, zero, one):
    info = {"id": "t3", "post": Q, "title": "Sky", "subreddit": "ask", "site": None, "article": None}
    texts = [{"text": text, "policy": "sup1", "note": "ok"} for text in (zero, one)]
    rest = {"worker": "w", "batch": "batch3", "split": "train", "extra": {"confidence": 4}}
    return {"info": info, "summaries": texts, "choice": choice, **rest}


def farm(preference, one, two):
    said = {"instruction": Q, "input": "", "output_1": one, "output_2": two, "preference": preference}
    return {**said, "annotator_index": 3, "dataset": "alpaca_eval", "datasplit": "eval"}


def nectar():
    said = ((POOR, 2.0), (GOOD, 1.0), (WORST, 3.0))
    answers = [{"answer": text, "model": "m", "rank": rank} for text, rank in said]
    rest = {"turns": 1, "num_responses": 3, "source": ["sharegpt"], "good_natured": True}
    return {"prompt": Q, "answers": answers, **rest}


def feedback(*scores):
    rated = {"helpfulness": {"Rating": "5", "Rationale": "r", "Type": ["1"]}}
    made = {"annotations": rated, "custom_system_prompt": "Be x", "model": "m", "principle": "helpfulness"}
    said = [
        {**made, "response": text, "critique": "c", "fine-grained_score": 1.0, "overall_score": score}
        for text, score in zip((POOR, GOOD, WORST), scores, strict=True)
    ]
    asked = {"source": "evol_instruct", "instruction": Q, "models": ["a", "b", "c"], "completions": said}
    return {**asked, "correct_answers": ["None"], "incorrect_answers": ["None"]}


def exchange():
    ids = {"answer_id": 1, "author": "x", "author_id": 2, "author_profile": "u"}
    answers = [
        {**ids, "pm_score": 0, "selected": False, "text": POOR},
        {**ids, "pm_score": 5, "selected": True, "text": GOOD},
    ]
    return {"qid": 1, "question": Q, "answers": answers, "date": "d", "metadata": ["m"]}


def paired(prompt, rejected=POOR):
    return {"prompt": prompt, "chosen": GOOD, "rejected": rejected}


TALK = {
    "prompt": turns(Q),
    "chosen": turns(Q, GOOD)[1:],
    "rejected": turns(Q, POOR)[1:],
}
#: data set -> rows, the pairs that they make, and what is said of the rest
READ = {
    "SHP": ([shp(1, GOOD, POOR), shp(0, POOR, GOOD)], [paired(Q)] * 2, "by labels, scored by score_A and"),
    "Chatbot Arena": (
        [arena("model_a", GOOD, POOR), arena("model_b", POOR, GOOD), arena("tie", GOOD, POOR)],
        [TALK] * 2,
        "pairs from conversation_a and conversation_b by winner, 1 tie left out",
    ),
    "Arena, 55k": (
        [arena_55k(GOOD, POOR, (1, 0, 0)), arena_55k(POOR, GOOD, (0, 1, 0)), arena_55k("a", "b", (0, 0, 1))],
        [TALK] * 2,
        "1 tie left out",
    ),
    "Arena, 140k": (
        [arena_140k("model_a", GOOD, POOR), arena_140k("both_bad", GOOD, POOR)],
        [TALK],
        "1 tie left out",
    ),
    "HelpSteer3": (
        [helpsteer3(-2, GOOD, POOR), helpsteer3(1, POOR, GOOD), helpsteer3(0, GOOD, POOR)],
        [{**TALK, "prompt": turns("hi", "hello", Q)}] * 2,
        "by overall_preference, 1 tie left out",
    ),
    "HelpSteer2's preferences": (
        [helpsteer2(-3, GOOD, POOR), helpsteer2(3, POOR, GOOD)],
        [paired(Q)] * 2,
        "by preference_strength",
    ),
    "WebGPT": (
        [webgpt(1.0, GOOD, POOR), webgpt(-0.5, POOR, GOOD), webgpt(0, GOOD, POOR)],
        [paired(Q)] * 2,
        "not trained on: quotes_0, tokens_0, quotes_1, tokens_1",
    ),
    "OpenAI's summaries": (
        [summaries(0, GOOD, POOR), summaries(1, POOR, GOOD)],
        [paired(f"SUBREDDIT: r/ask\n\nTITLE: Sky\n\nPOST: {Q}\n\nTL;DR:")] * 2,
        "pairs from the two summaries by choice; not trained on of summaries: policy, note",
    ),
    "AlpacaFarm": ([farm(1, GOOD, POOR), farm(2.0, POOR, GOOD)], [paired(Q)] * 2, "by preference"),
    "Nectar": ([nectar()], [paired(Q, WORST)], "the best and the worst of answers by rank"),
    "UltraFeedback": (
        [feedback(3.0, 8.5, 1.0), feedback(5, 5, 5), feedback(4.0, None, "N/A")],
        [paired(Q, WORST)],
        "by overall_score, 1 tie left out, 1 row with fewer than two graded replies left out; not trained on",
    ),
    "Stack Exchange": ([exchange()], [paired(Q)], "answers by pm_score"),
    "Stack Exchange, paired": (
        [{"qid": 1, "question": Q, "date": "d", "metadata": ["m"], "response_j": GOOD, "response_k": POOR}],
        [paired(Q)],
        "not trained on: qid, date, metadata",
    ),
    "Argilla": (
        [{"source": "s", "instruction": Q, "chosen_response": GOOD, "rejected_response": POOR, "x": 5}],
        [paired(Q)],
        "not trained on: source, x",
    ),
    "scores in a list beside": (
        [{"prompt": Q, "all_generated_responses": [POOR, GOOD, WORST], "all_rm_scores": [0.2, 0.9, 0.1]}],
        [paired(Q, WORST)],
        "all_generated_responses by all_rm_scores",
    ),
    "JudgeBench": (
        [{"question": Q, "response_A": POOR, "response_B": GOOD, "label": "B>A"}],
        [paired(Q)],
        "by label",
    ),
    "PandaLM, with ties as 0": (
        [
            {"instruction": Q, "input": "", "response1": GOOD, "response2": POOR, "preference": said}
            for said in (1, 0)
        ],
        [paired(Q)],
        "1 tie left out",
    ),
    "names of models": ([{**arena("vicuna-13b", POOR, GOOD)}], [TALK], "by winner"),
}


@pytest.mark.parametrize("name", READ)
def test_a_public_layout_of_preferences_is_read_as_pairs(name, tmp_path, opened):
    rows, pairs, said = READ[name]
    data = opened(tmp_path, *rows)
    found = data.rows("pairs")
    assert [{side: row[side] for side in ("prompt", "chosen", "rejected")} for row in found] == pairs
    assert said in data.describe("pairs")
    assert check(data, "pairs")[0] == []


@pytest.mark.parametrize("name", READ)
def test_every_column_is_used_or_named(name, tmp_path, opened):
    rows, _, _ = READ[name]
    data = opened(tmp_path, *rows)
    told = data.describe("pairs")
    empty = ("input", "full_conversation", "three_most_similar_preferences", "all_preferences_unprocessed")
    spoken = ("prompt", "question", "instruction", "history", "context", "info", *empty)
    assert [column for column in rows[0] if column not in told and column not in spoken] == []


def test_two_verdicts_are_a_question_that_one_word_answers(tmp_path, opened, refused):
    rows = [safe_rlhf(0, 1, POOR, GOOD), safe_rlhf(1, 1, POOR, GOOD)]
    told = refused(lambda: opened(tmp_path, *rows))
    assert "data.columns.verdict=better_response_id or data.columns.verdict=safer_response_id" in told
    for column, chosen in (("better_response_id", POOR), ("safer_response_id", GOOD)):
        data = opened(tmp_path, *rows, columns={"verdict": column})
        assert data.rows("pairs")[0]["chosen"] == chosen
        assert data.rows("pairs")[1]["chosen"] == GOOD
    assert opened(tmp_path, *rows, drop=["better_response_id"]).rows("pairs")[0]["chosen"] == GOOD


def test_columns_of_other_names_are_named(tmp_path, opened, refused):
    row = {"Questions": Q, "Answer1": GOOD, "Answer2": POOR, "Preference": "Answer1"}
    columns = {"prompt": "Questions", "reply_a": "Answer1", "reply_b": "Answer2", "verdict": "Preference"}
    told = refused(lambda: opened(tmp_path, row, columns=columns))
    assert "verdict must name a side (a or b) or be tie, got 'Answer1'" in told
    row["Preference"] = "first"
    assert opened(tmp_path, row, columns=columns).rows("pairs") == [paired(Q)]


def test_a_verdict_of_another_name_is_proposed_and_works(tmp_path, opened, refused):
    row = {"query_text": Q, "response_a": GOOD, "response_b": POOR, "human_pick": "a"}
    told = refused(lambda: opened(tmp_path, row))
    assert "if human_pick says which of two replies is better: data.columns.verdict=human_pick" in told
    found = opened(tmp_path, row, columns={"verdict": "human_pick", "prompt": "query_text"}).rows("pairs")
    assert found == [paired(Q)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (arena("model_c", GOOD, POOR), "winner must name a side (a or b) or be tie, got 'model_c'"),
        (arena(None, GOOD, POOR), "column winner is empty (null)"),
        (helpsteer3("better", GOOD, POOR), "overall_preference must be a number, got 'better'"),
        (shp(2, GOOD, POOR), "labels must be 1 (human_ref_A is better) or 0, got 2"),
        (arena_55k(GOOD, POOR, (1, 1, 0)), "one of winner_model_a, winner_model_b, winner_tie must be 1"),
        (summaries(2, GOOD, POOR), "choice must be 0 or 1 and summaries hold two, got 2"),
        (farm(1.3, GOOD, POOR), "preference must name a side (1 or 2) or be tie, got 1.3"),
        ({**nectar(), "answers": "none"}, "column answers must be a list of replies"),
    ],
)
def test_a_verdict_that_says_nothing_is_refused_with_its_line_or_left_out(
    row, said, tmp_path, opened, refused
):
    good = {
        "winner": arena("model_a", GOOD, POOR),
        "overall_preference": helpsteer3(-1, GOOD, POOR),
        "labels": shp(1, GOOD, POOR),
        "winner_tie": arena_55k(GOOD, POOR, (1, 0, 0)),
        "choice": summaries(0, GOOD, POOR),
        "preference": farm(1, GOOD, POOR),
        "answers": nectar(),
    }
    kind = next(name for name in good if name in row)
    told = refused(lambda: opened(tmp_path, good[kind], row, good[kind], bad="refuse"))
    assert "line 2: " in told
    assert said in told
    assert "data.bad=drop leaves this row out (1 of 3)" in told
    data = opened(tmp_path, good[kind], row, good[kind], bad="drop")
    assert len(data.rows("pairs")) == 2
    assert "1 row left out by data.bad=drop" in data.describe("pairs")


def test_rows_that_are_all_ties_are_refused(tmp_path, opened, refused):
    told = refused(lambda: opened(tmp_path, *[arena("tie", GOOD, POOR)] * 3))
    assert "no row of my.jsonl prefers a reply" in told
    assert "3 ties left out" in told


def test_only_the_turns_that_were_judged_are_trained(tmp_path, opened):
    """MT-Bench keeps two turns, and says which of them the verdict is on."""
    talks = {"conversation_a": turns(Q, GOOD, "And at night?", GOOD)}
    talks |= {"conversation_b": turns(Q, POOR, "And at night?", POOR)}
    rows = [arena("model_a", "", "", turn=turn, **talks) for turn in (1, 2)]
    first, second = opened(tmp_path, *rows).rows("pairs")
    assert (first["chosen"], first["rejected"]) == (TALK["chosen"], TALK["rejected"])
    assert [turn["role"] for turn in second["chosen"]] == ["assistant", "user", "assistant"]


def test_scores_against_the_verdict_are_noted(tmp_path, opened):
    rows = [{**shp(1, GOOD, POOR), "score_A": 1, "score_B": 8}]
    data = opened(tmp_path, *rows)
    assert [note.name for note in check(data, "pairs")[1]] == ["scored-below"]


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({"question": Q, "answer_a": "x", "answer_b": "y", "answer_c": "z", "answer": "b"}, "completions"),
        ({"prompt": Q, "chosen": GOOD, "rejected": POOR, "response_1": "x", "response_2": "y"}, "pairs"),
        ({"prompt": Q, "response": GOOD, "answers": {"text": ["a"], "answer_start": [0]}}, "completions"),
        ({"query": Q, "answers": '[{"name": "f", "arguments": {}}]', "tools": "[]"}, "messages"),
        ({"prompt": Q, "completions": ["one", "two"], "labels": [True, False]}, "steps"),
    ],
)
def test_what_only_looks_like_it_is_read_as_before(row, shape, tmp_path, opened):
    data = opened(tmp_path, row)
    assert data.sources[shape].native == shape
    assert "pairs from" not in data.describe(shape)


def test_a_reply_that_is_a_json_list_stays_a_text(tmp_path, opened):
    row = {"prompt": "List two.", "response_a": '["a", "b"]', "response_b": "a b", "winner": "a"}
    assert opened(tmp_path, row).rows("pairs")[0]["chosen"] == '["a", "b"]'


def test_replies_of_a_list_are_rows_of_their_own_where_that_is_asked_for(tmp_path, opened):
    data = opened(tmp_path, nectar(), shape="completions")
    assert [(row["completion"], row["score"]) for row in data.rows("completions")] == [
        (POOR, -2.0), (GOOD, -1.0), (WORST, -3.0),
    ]  # fmt: skip
    assert "a row for each of answers, with rank as score" in data.describe("completions")


def test_prompts_follow_from_pairs(tmp_path, opened):
    assert opened(tmp_path, nectar()).rows("prompts")[0]["prompt"] == Q
