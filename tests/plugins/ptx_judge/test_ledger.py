from ptx_judge import Rule


def test_a_check_is_of_one_judge_and_not_of_another(scene):
    scene.checked(Rule(words=50), 0.9)
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule())
    assert ("judge/win_rate", "") in scene.judged(Rule(words=50))
    assert ("judge/win_rate_unchecked", "") in scene.judged(Rule(words=50), margin=0.5)
