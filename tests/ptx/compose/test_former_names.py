"""Names of earlier versions are answered with the present ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ptx import QAT, Choice, ConfigError, Evaluator, hookimpl, setting
from ptx.cli import main
from ptx.compose.jobs import compose_jobs
from ptx.hooks import host as hosts

BASE = ["model=./model", "data=./text.jsonl", "method=toy"]


@dataclass
class Rounded(QAT):
    bits: int = setting(4, "bits per weight")


@dataclass
class Kept(Evaluator):
    limit: int | None = setting(None, "number of texts")


@dataclass
class Far(Evaluator):
    pass


class Renamed:
    """Choices that had other names: qat=rtn was through=qat, and two evaluators."""

    @hookimpl
    def ptx_choices(self):
        return [
            Choice("qat", "rtn", Rounded, formerly=("qat",)),
            Choice("eval", "divergence", Far, formerly=("distance",)),
            Choice("eval", "forgetting", Kept, formerly=("general", "unlearned", "faded")),
        ]


@pytest.fixture
def host(host_with, toy):
    return host_with(toy=toy, renamed=Renamed())


def refusals(host, *words):
    with pytest.raises(ConfigError) as caught:
        compose_jobs(host, "train", [*BASE, *words])
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("through=qat", "through is called qat now; type qat=rtn"),
        ("through=null", "through is called qat now; type qat=null"),
        ("qat=qat", "qat=qat: qat is called rtn now; type qat=rtn"),
        ("method.through.bits=3", "method.through is called method.qat now; type method.qat.bits=3"),
        (
            "recipe.steps.tune.through.bits=3",
            (
                "recipe.steps.tune.through is called recipe.steps.tune.qat now;"
                " type recipe.steps.tune.qat.bits=3"
            ),
        ),
        (
            "compress.distil.through.bits=3",
            "compress.distil.through is called compress.distil.qat now; type compress.distil.qat.bits=3",
        ),
        ("eval=[distance]", "eval=[distance]: distance is called divergence now; type eval=[divergence]"),
        (
            "eval=[general,latency,distance]",
            (
                "eval=[general,latency,distance]: general is called forgetting now,"
                " distance is called divergence now; type eval=[forgetting,latency,divergence]"
            ),
        ),
        (
            "eval.general.limit=4",
            "eval.general is called eval.forgetting now; type eval.forgetting.limit=4",
        ),
        ("eval.general=false", "eval.general is called eval.forgetting now; type eval.forgetting=false"),
        ("eval.unlearned=true", "eval.unlearned is called eval.forgetting now; type eval.forgetting=true"),
    ],
)
def test_a_word_with_a_former_name_is_answered_with_what_to_type(host, desk, word, answer):
    assert refusals(host, word) == [answer]


def test_all_former_names_and_unknown_names_are_answered_together(host, desk):
    assert refusals(host, "through=qat", "eval=[distance]", "compress=[halv]") == [
        "through is called qat now; type qat=rtn",
        "eval=[distance]: distance is called divergence now; type eval=[divergence]",
        "no compress 'halv'; did you mean 'halve'?",
    ]


def test_the_words_that_are_advised_compose(host, desk):
    words = ["qat=rtn", "method.qat.bits=3", "eval=[divergence,forgetting]", "eval.forgetting.limit=4"]
    config = compose_jobs(host, "train", [*BASE, *words])[0].config
    assert config.method.qat.bits == 3
    assert list(config.eval) == ["divergence", "forgetting"]
    assert config.eval["forgetting"].limit == 4


def test_a_choice_of_today_keeps_a_name_that_another_one_had(host_with, toy, desk):
    # Hydra's ConfigStore belongs to the process, so no other test may use this name
    @dataclass
    class Faded(Evaluator):
        pass

    class Newcomer:
        @hookimpl
        def ptx_choices(self):
            return [Choice("eval", "faded", Faded)]

    host = host_with(toy=toy, renamed=Renamed(), newcomer=Newcomer())
    assert list(compose_jobs(host, "train", [*BASE, "eval=[faded]"])[0].config.eval) == ["faded"]


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (
            "{method: toy, through: qat}",
            "recipe.steps.tune.through is called recipe.steps.tune.qat now; write qat: rtn",
        ),
        (
            "{method: toy, through: {qat: {bits: 3}}}",
            "recipe.steps.tune.through is called recipe.steps.tune.qat now; write qat: {rtn: ...}",
        ),
        ("{method: toy, qat: qat}", "recipe step 'tune': qat 'qat' is called 'rtn' now; write qat: rtn"),
    ],
)
def test_a_recipe_with_a_former_name_is_answered_too(host, desk, step, answer):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "old.yaml").write_text(f"steps:\n  tune: {step}\n")
    with pytest.raises(ConfigError) as caught:
        compose_jobs(host, "train", [*BASE[:2], "recipe=old"])
    assert [str(problem) for problem in caught.value.problems] == [answer]


def test_the_command_ends_with_exit_code_two_and_writes_nothing(desk, capsys, monkeypatch):
    monkeypatch.delenv("PTX_DISABLE")
    hosts.get_host.cache_clear()
    words = ["model=tiny", "method=sft", "through=qat", "eval=[distance,general]", "method.through.bits=3"]
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    for advice in ("type qat=rtn", "type eval=[divergence,forgetting]", "type method.qat.bits=3"):
        assert advice in error
    assert not (desk / "ptx-out").exists()
