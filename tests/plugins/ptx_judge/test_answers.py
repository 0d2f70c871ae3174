import json

from ptx import ModelRef
from ptx_judge import Rule
from ptx_judge.answers import prompt_for, weights


def test_the_baseline_answers_once_for_all_that_are_compared_with_it(scene):
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


def test_a_question_that_is_cut_is_reported(scene):
    scene.judged(Rule())
    assert any("1 questions are longer than the 7 tokens" in line for line in scene.said)  # "shorter?"


def test_a_model_without_a_chat_template_reads_the_question_unchanged():
    class Plain:
        chat_template = None

    class Chat:
        chat_template = "given"

        def apply_chat_template(self, turns, tokenize, add_generation_prompt):
            return f"<{turns[0]['role']}>{turns[0]['content']}" + "<assistant>" * add_generation_prompt

    assert prompt_for(Plain(), "Why?") == "Why?"
    assert prompt_for(Chat(), "Why?") == "<user>Why?<assistant>"


def test_an_adapter_s_answers_depend_on_its_base_too(tmp_path):
    for name in ("base", "other", "adapter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"name": "{name}"}}')
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "base")}))
    adapter, base = ModelRef.of(tmp_path / "adapter", "adapter"), ModelRef.of(tmp_path / "base")
    assert weights(base) == base.digest
    first = weights(adapter)
    assert first not in (adapter.digest, base.digest)
    (tmp_path / "base" / "config.json").write_text('{"name": "changed"}')
    assert weights(adapter) != first
