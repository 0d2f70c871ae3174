from dataclasses import replace

from ptx_judge import Endpoint, Rule, ledger


def test_a_check_is_of_one_judge_and_not_of_another(scene):
    scene.checked(Rule(words=50), 0.9)
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule())
    assert ("judge/win_rate", "") in scene.judged(Rule(words=50))
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule(words=50), margin=0.5)


def check(margin=0.0, kappa=0.7):
    return ledger.Check(
        "rule 12", kappa, kappa - 0.1, kappa + 0.1, 0.9, 20, 0, 1.0, margin, "people.json", ""
    )


def test_a_check_is_found_again_with_the_same_settings_and_margin():
    ledger.keep("rule", Rule(), check(margin=0.5))
    assert ledger.find("rule", Rule(), 0.5) == check(margin=0.5)
    assert ledger.find("rule", Rule(), 0.0) is None
    assert ledger.find("other", Rule(), 0.5) is None


def test_a_newer_check_replaces_the_older():
    ledger.keep("rule", Rule(), check())
    path = ledger.keep("rule", Rule(), check(kappa=0.2))
    assert ledger.find("rule", Rule(), 0.0).kappa == 0.2
    assert list(path.parent.iterdir()) == [path]


def test_one_word_of_a_rubric_makes_another_judge_and_the_key_s_variable_does_not(tmp_path):
    rubric = tmp_path / "mine.jinja"
    rubric.write_text("{% block system %}Judge.{% endblock %}{% block user %}{{ question }}{% endblock %}")
    judge = Endpoint(base_url="http://host/v1", model="m", pair_rubric=str(rubric))
    before = ledger.key_of(judge)
    assert ledger.key_of(replace(judge, key_env="OTHER", concurrency=1)) == before
    assert ledger.key_of(judge.comparing()) == before
    rubric.write_text(rubric.read_text().replace("Judge.", "Judge!"))
    assert ledger.key_of(judge) != before


def test_a_check_reads_as_a_sentence():
    assert str(check()) == "kappa 0.700 [0.600, 0.800] with the humans of people.json, 20 pairs"
