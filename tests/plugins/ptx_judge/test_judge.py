import ptx_judge
from ptx import RunConfig
from ptx.testing import check_plugin, undeclared_metrics
from ptx_judge import Judge, Rule


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_judge")


def test_every_metric_that_is_measured_is_declared(scene):
    scene.checked(scene.Moody(), 0.7)
    compared = scene.judged(scene.Moody(), grade=True, min_kappa=0.9)
    scored = scene.judged(scene.Shorter())
    for found in (compared, scored):
        assert undeclared_metrics(Judge, found.values()) == []
    assert "judge/win_rate_unchecked/kappa" in {name for name, _ in compared}


def test_each_judge_is_called_through_its_choice(scene, make_run):
    run = make_run(RunConfig(scorer={"rule": Rule()}), [ptx_judge])
    assert run.score("rule", ["q", "q"], ["four", "five"], ["four", "four"]) == [1.1, 0.1]
    calls = {choice.name: choice.calls for choice in ptx_judge.ptx_choices()}
    assert calls == {
        "judge": "ptx_judge.evaluate:evaluate",
        "rule": "ptx_judge.rule:scores",
        "endpoint": "ptx_judge.endpoint:score",
        "local": "ptx_judge.local:score",
        "reward": "ptx_judge.reward:score",
    }
