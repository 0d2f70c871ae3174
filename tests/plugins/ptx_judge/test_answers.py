import json

from ptx import ModelRef
from ptx_judge import Rule


def test_the_baseline_answers_once_for_all_that_are_held_against_it(scene):
    scene.judged(Rule())
    scene.judged(scene.Moody())
    assert scene.plugin.log.count("generate base") == 1
    assert scene.plugin.log.count("generate tuned") == 1
    assert all(
        row["latency"] > 0 for row in scene.rows.values()
    )  # also where the answers came from the store
    scene.judged(Rule(), max_new_tokens=7)
    scene.judged(Rule(), runtime=scene.Canned(manner="so: "))
    assert scene.plugin.log.count("generate base") == 3
    assert scene.rows["longer?"]["target"] == "so: a"  # on the runtime of the run, set as the run's is


def test_the_baseline_of_a_runtime_with_packages_is_exported_first(scene):
    run_made = scene.base.path.parent / "made"
    run_made.mkdir()
    (run_made / "answers.json").write_text(json.dumps({**scene.answers_of_tuned, "name": "tuned package"}))
    scene.judged(Rule(), runtime=scene.Packaged(), model=ModelRef.of(run_made, "package"))
    scene.judged(scene.Moody(), runtime=scene.Packaged(), model=ModelRef.of(run_made, "package"))
    assert scene.plugin.log.count("export") == 1
    assert scene.plugin.log.count("generate package") == 1
    assert scene.rows["longer?"]["target"] == "a"


def test_a_question_that_is_cut_is_told(scene):
    scene.judged(Rule())
    assert any("1 questions are longer than the 7 tokens" in line for line in scene.said)  # "shorter?"
