"""From words to typed configurations, and every mistake named."""

from __future__ import annotations

import pytest

from ptx import ConfigError
from ptx.compose.jobs import compose_jobs
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan

BASE = ["model=./model", "data=./text.jsonl", "method=toy"]


def problems_of(host, words, **options):
    with pytest.raises(ConfigError) as caught:
        compose_jobs(host, "train", words, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_choice_becomes_its_dataclass_with_the_typed_fields(toy_host, desk):
    config = compose_jobs(toy_host, "train", [*BASE, "method.rate=0.5", "seed=3"])[0].config
    assert type(config.method).__name__ == "ToyMethod"
    assert (config.method.rate, config.seed, config.model.path) == (0.5, 3, "model")


def test_a_list_of_compressors_keeps_its_order(toy_host, desk):
    for order in (["halve", "round"], ["round", "halve"]):
        config = compose_jobs(toy_host, "train", [*BASE, f"compress=[{','.join(order)}]"])[0].config
        assert list(config.compress) == order


def test_lists_and_ranges_are_swept_in_the_order_they_were_typed(toy_host, desk):
    words = [*BASE[:2], "method=toy,other", "compress=[],[halve],[halve,round]", "seed=range(0,2)"]
    jobs = compose_jobs(toy_host, "train", words, multirun=True)
    assert len(jobs) == 12
    assert [list(job.config.compress) for job in jobs[:6:2]] == [[], ["halve"], ["halve", "round"]]
    assert jobs[1].varied == {"method": "toy", "compress": "[]", "seed": "1"}


def test_a_swept_value_is_named_as_it_is_typed(toy_host, desk):
    jobs = compose_jobs(toy_host, "train", [*BASE, "baseline=true,false"], multirun=True)
    assert [job.varied["baseline"] for job in jobs] == ["true", "false"]


def test_several_values_without_multirun_are_refused_with_the_fix(toy_host, desk):
    assert problems_of(toy_host, ["method=toy,other"]) == [
        "'method=toy,other' names several values; add -m to run them all"
    ]


def test_a_folder_swept_beside_a_choice_is_resolved_per_job(toy_host, desk):
    (desk / "second").mkdir()
    jobs = compose_jobs(toy_host, "train", ["model=./model,./second", "method=toy"], multirun=True)
    assert [job.config.model.path for job in jobs] == ["model", "second"]


def test_an_unknown_choice_is_answered_with_the_nearest_one(toy_host, desk):
    assert problems_of(toy_host, ["method=tooy", "compress=[halv]"]) == [
        "no method 'tooy'; did you mean 'toy'?",
        "no compress 'halv'; did you mean 'halve'?",
    ]


def test_every_misspelt_field_and_wrong_type_is_named_at_once(toy_host, desk):
    found = problems_of(
        toy_host, [*BASE, "method.rte=1", "method.rate=fast", "seeed=1", "compress.halve.keep=0.1"]
    )
    assert found[0] == "method has no field 'rte'; did you mean 'rate'?"
    assert found[1].startswith("method.rate=fast: Value 'fast'")
    assert "float" in found[1]
    assert found[2] == "the configuration has no field 'seeed'; did you mean 'seed'?"
    assert found[3] == "compress.halve.keep: 'halve' is not among compress=[]; add it: compress=[halve]"


def test_a_refused_value_carries_the_dataclass_message(toy_host, desk):
    assert problems_of(toy_host, [*BASE, "method.rate=-1"]) == [
        "method.rate must be positive, got -1.0; try method.rate=0.1"
    ]


def test_free_arguments_are_set_as_a_whole_or_key_by_key(toy_host, desk):
    config = compose_jobs(toy_host, "train", [*BASE, "method.args={a: 1}", "method.args.b=x"])[0].config
    assert config.method.args == {"a": 1, "b": "x"}


def test_adapters_are_a_group_of_their_own(toy_host, desk):
    config = compose_jobs(toy_host, "train", [*BASE, "lora=lora", "method.lora.r=4"])[0].config
    assert config.method.lora.r == 4
    assert problems_of(toy_host, [*BASE, "method.lora.r=4"]) == [
        "method.lora.r: no lora is set; add lora=lora"
    ]


def test_quantisation_aware_training_is_a_group_of_its_own_and_becomes_a_field_of_the_method(qat_host, desk):
    config = compose_jobs(qat_host, "train", [*BASE, "qat=coarse", "method.qat.digits=2"])[0].config
    assert (type(config.method.qat).__name__, config.method.qat.digits) == ("Coarse", 2)
    assert compose_jobs(qat_host, "train", BASE)[0].config.method.qat is None
    assert problems_of(qat_host, [*BASE, "method.qat.digits=2"]) == [
        "method.qat.digits: no qat is set; add qat=NAME"
    ]
    assert problems_of(qat_host, [*BASE, "qat=coarse", "method.qat.digit=2"]) == [
        "method.qat has no field 'digit'; did you mean 'digits'?"
    ]
    assert problems_of(qat_host, [*BASE, "qat=coarsly"]) == ["no qat 'coarsly'; did you mean 'coarse'?"]


def test_quantisation_aware_training_is_in_the_key_of_the_step_with_its_version(
    qat_host, host_with, coarse, toy, desk
):
    def ingredients(host, *words):
        plan = make_plan(host, "train", compose_jobs(host, "train", [*BASE, "eval=[]", *words]), "ptx test")
        return plan.runs[-1].steps[0].identity.ingredients

    plain, seen = ingredients(qat_host), ingredients(qat_host, "qat=coarse")
    assert "qat" not in plain
    assert seen["config"]["qat"] == {"type": "Coarse", "digits": 1}
    assert seen["qat"] == {"choice": "coarse", "plugin": "coarse 1 1", "libraries": {}}
    assert ingredients(host_with(toy=toy, coarse=coarse("2")), "qat=coarse")["qat"]["plugin"] == "coarse 1 2"


def test_a_users_yaml_preset_wins_over_the_packaged_choice(toy_host, desk):
    (desk / "conf" / "method").mkdir(parents=True)
    (desk / "conf" / "method" / "fast.yaml").write_text("defaults: [toy]\nrate: 0.9\n")
    config = compose_jobs(toy_host, "train", [*BASE[:2], "method=fast"])[0].config
    assert (type(config.method).__name__, config.method.rate) == ("ToyMethod", 0.9)


def test_an_unknown_choice_is_answered_with_the_plugins_that_could_not_be_loaded(host_with, toy, desk):
    def explode():
        raise ImportError("no module named 'lost'")

    host = host_with(toy=toy)
    from ptx.hooks import host as hosts

    hosts._load(host, "lost", "their.module", "1", explode)
    found = problems_of(host, ["method=theirs", "model=./model"])
    assert found[0].startswith("no method 'theirs'")
    assert "plugin lost (their.module) is not loaded: ImportError" in found[1]


def test_a_method_that_learns_from_what_a_maker_makes_has_suggestions_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["model=tiny", "data=tiny", "eval=[]"]
    (plain,) = compose_jobs(get_host(), "train", [*words, "method=sft"])
    (made,) = compose_jobs(get_host(), "train", [*words, "make=sample", "method=sft"])
    (rounds,) = compose_jobs(get_host(), "train", [*words, "recipe=raft"])
    rates = [plain.config.method.learning_rate, made.config.method.learning_rate]
    assert [*rates, rounds.config.recipe["steps"]["sft_2"].learning_rate] == [1e-3, 3e-4, 3e-4]


def test_the_suggestions_of_a_model_are_used_where_nothing_was_typed_and_a_note_says_so(host_with, toy, desk):
    from dataclasses import dataclass

    from ptx import Choice, Model, hookimpl

    @dataclass
    class Small(Model):
        pass

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [
                Choice(
                    "model", "small", Small, suggests={"method=toy": {"method.rate": 0.7, "method.quiet": 9}}
                )
            ]

    host = host_with(toy=toy, small=Plugin())
    job = compose_jobs(host, "train", ["model=small", "method=toy", "method.quiet=2"])[0]
    assert (job.config.method.rate, job.config.method.quiet) == (0.7, 2)
    assert job.notes == ("suggested by the model: method.rate=0.7",)
    assert compose_jobs(host, "train", ["model=small", "method=other"])[0].config.method.rate == 0.1


@pytest.mark.parametrize("word", ["method.rate=(", 'method.rate="(', "method rate=1", "method.rate=[1"])
def test_a_word_that_cannot_be_read_is_named(toy_host, desk, word):
    (problem,) = problems_of(toy_host, [*BASE, word])
    assert problem.startswith(f"cannot read {word!r}: ")
    assert "write key=value" in problem


def test_a_field_of_a_grid_goes_to_the_jobs_that_have_it(toy_host, desk):
    jobs = compose_jobs(
        toy_host, "train", [*BASE, "compress=[],[halve]", "compress.halve.keep=0.25"], multirun=True
    )
    assert jobs[0].config.compress == {}
    assert jobs[1].config.compress["halve"].keep == 0.25
    assert jobs[0].varied == {"compress": "[]"}
    assert "compress.halve.keep=0.25" not in jobs[0].overrides
    assert jobs[0].notes[-1] == "compress.halve.keep is set in 1 of 2 runs: the others have no such field"


def test_a_field_that_no_job_of_a_grid_has_is_one_problem(toy_host, desk):
    with pytest.raises(ConfigError) as caught:
        compose_jobs(toy_host, "train", [*BASE, "seed=1,2", "method.rte=1"], multirun=True)
    assert [str(problem) for problem in caught.value.problems] == [
        "method has no field 'rte'; did you mean 'rate'?"
    ]
