import json

import pytest

from ptx import ConfigError, RunConfig
from ptx_judge import Endpoint, Judge, Local, Reward, Rule
from ptx_judge.validate import of_scorer, problems


def test_everything_wrong_with_a_judge_is_reported_at_once(scene):
    judge = Judge(tasks=["nowhere.jsonl"], scorer="it")
    found = [
        str(one)
        for one in problems(
            RunConfig(eval={"judge": judge}, scorer={"it": Endpoint(pair_rubric="none", key_env="NO_KEY")})
        )
    ]
    assert len(found) == 5
    for part in (
        "nowhere.jsonl",
        "no rubric 'none'",
        "base_url must be",
        "model must name",
        "NO_KEY holds no key",
    ):
        assert any(part in text for text in found), part


def test_judges_by_folder_need_one_and_settings_of_judges_that_are_not_asked_do_not_matter(scene):
    judge = Judge(tasks=[str(scene.questions)], scorer="it")
    for scorer in (Local(), Reward(model="nowhere")):
        (found,) = problems(RunConfig(eval={"judge": judge}, scorer={"it": scorer, "other": Endpoint()}))
        assert "must be a model folder" in str(found)


@pytest.mark.parametrize(
    ("settings", "said"), [({"runtime": "hff"}, "did you mean 'hf'"), ({"options": {"dtyp": "x"}}, "dtyp")]
)
def test_a_judge_s_runtime_is_checked(scene, settings, said):
    (scene.base.path / "config.json").write_text("{}")
    judge = Judge(tasks=[str(scene.questions)], scorer="it")
    (found,) = problems(
        RunConfig(eval={"judge": judge}, scorer={"it": Local(model=str(scene.base.path), **settings)})
    )
    assert said in str(found)


def test_missing_references_are_reported(scene):
    scene.questions.write_text(json.dumps({"prompt": "Why?"}) + "\n")
    judge = Judge(tasks=[str(scene.questions)], scorer="it", against="references")
    assert "none of the 1 questions has a reference" in str(
        problems(RunConfig(eval={"judge": judge}, scorer={"it": Rule()}))[0]
    )


def test_a_reward_model_is_a_folder_or_an_earlier_step(tmp_path):
    class Step:
        makes = "reward"

    assert of_scorer("reward", Reward(), {"rm": Step()}) == []
    assert of_scorer("reward", Reward(model="rm"), {"rm": Step()}) == []
    (problem,) = of_scorer("reward", Reward(model="mr"), {"rm": Step()})
    assert "or an earlier step that makes a reward model, got 'mr'" in str(problem)
    assert "leave it out: the one that this run makes is asked" in str(problem)
    (problem,) = of_scorer("reward", Reward(model="mr"), {})
    assert "name a step with method=reward before this one" in str(problem)
    Step.makes = "model"
    with pytest.raises(
        ConfigError, match=r"scorer\.reward\.model=rm names a step that makes no reward model"
    ):
        of_scorer("reward", Reward(model="rm"), {"rm": Step()})
