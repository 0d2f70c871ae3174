"""Names of earlier versions are answered with the present ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ptx import QAT, Choice, ConfigError, Evaluator, hookimpl, setting
from ptx.cli import main
from ptx.compose.former_names import present_word
from ptx.compose.groups import hydra
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


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("through=qat", "through is called qat now: qat=rtn is used"),
        ("through=null", "through is called qat now: qat=null is used"),
        ("qat=qat", "qat=qat: qat is called rtn now: qat=rtn is used"),
        ("method.through.bits=3", "method.through is called method.qat now: method.qat.bits=3 is used"),
        (
            "recipe.steps.tune.through.bits=3",
            (
                "recipe.steps.tune.through is called recipe.steps.tune.qat now:"
                " recipe.steps.tune.qat.bits=3 is used"
            ),
        ),
        (
            "compress.distil.through.bits=3",
            "compress.distil.through is called compress.distil.qat now: compress.distil.qat.bits=3 is used",
        ),
        ("eval=[distance]", "eval=[distance]: distance is called divergence now: eval=[divergence] is used"),
        (
            "eval=[general,latency,distance]",
            (
                "eval=[general,latency,distance]: general is called forgetting now,"
                " distance is called divergence now: eval=[forgetting,latency,divergence] is used"
            ),
        ),
        (
            "eval.general.limit=4",
            "eval.general is called eval.forgetting now: eval.forgetting.limit=4 is used",
        ),
        ("eval.general=false", "eval.general is called eval.forgetting now: eval.forgetting=false is used"),
        ("eval.unlearned=true", "eval.unlearned is called eval.forgetting now: eval.forgetting=true is used"),
    ],
)
def test_a_word_with_a_former_name_is_read_as_the_present_one(host, desk, word, answer):
    with hydra(host, None):
        present, note = present_word(host, word)
    assert note == answer
    assert note.endswith(f": {present} is used")


def test_former_names_compose_as_the_present_ones_do_and_are_said(host, desk):
    old = compose_jobs(host, "train", [*BASE, "through=qat", "method.through.bits=3", "eval=[distance]"])[0]
    new = compose_jobs(host, "train", [*BASE, "qat=rtn", "method.qat.bits=3", "eval=[divergence]"])[0]
    assert (old.config, old.overrides, old.given) == (new.config, new.overrides, new.given)
    assert old.notes[0] == "through is called qat now: qat=rtn is used"
    assert new.notes == ()


def test_unknown_names_are_still_refused_beside_former_ones(host, desk):
    with pytest.raises(ConfigError) as caught:
        compose_jobs(host, "train", [*BASE, "eval=[distance]", "compress=[halv]"])
    (problem,) = caught.value.problems
    assert str(problem) == "no compress 'halv'; did you mean 'halve'?"


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


def test_the_command_says_which_names_have_changed(desk, capsys, monkeypatch):
    monkeypatch.delenv("PTX_DISABLE")
    hosts.get_host.cache_clear()
    words = ["model=tiny", "method=sft", "data=tiny", "eval=[perplexity]", "eval.general=false", "--dry-run"]
    assert main(["train", *words]) == 0
    out = capsys.readouterr().out
    assert "eval.general is called eval.forgetting now: eval.forgetting=false is used" in out
    assert "measured by perplexity\n" in out
