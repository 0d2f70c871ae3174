from ptx_judge import rank


def test_games_without_an_outcome_are_no_games():
    rounds = [
        {"item": "1", "a": "x", "b": "y", "outcome": None},
        {"item": "2", "a": "x", "b": "y", "outcome": 1.0},
    ]
    assert len(rank.games_of(rounds, ["x", "y"])) == 1
    assert rank.order(rounds, ["x", "y"]) is None  # y never won


def test_rounds_are_written_whole_and_read_again(tmp_path):
    assert rank.kept(tmp_path) == []
    rounds = [{"item": "x", "a": "first", "b": "second", "outcome": 1.0}]
    assert rank.keep(tmp_path, rounds) == tmp_path / "judge" / "rounds.jsonl"
    assert rank.kept(tmp_path) == rounds
    assert [path.name for path in (tmp_path / "judge").iterdir()] == ["rounds.jsonl"]


def test_scores_of_single_answers_make_rounds_over_the_shared_questions():
    answers = {
        "a": {"x": {"scores": {"s": 2.0}}, "y": {"scores": {"s": 1.0}}, "z": {"scores": {"s": 9.0}}},
        "b": {"x": {"scores": {"s": 1.0}}, "y": {"scores": {"s": None}}},
        "c": {"x": {"scores": {"s": 1.5}}, "y": {"scores": {"s": 1.2}}},
    }
    assert rank.shared(answers) == ["x", "y"]
    found = {(g["a"], g["b"], g["item"]): g["outcome"] for g in rank.rounds_by_score(answers, "s", 0.5)}
    assert found == {("a", "b", "x"): 1.0, ("a", "c", "x"): 0.5, ("a", "c", "y"): 0.5, ("b", "c", "x"): 0.5}
