"""What may stand in place of the last typed word."""

from __future__ import annotations

import pytest

from ptx.cli.completion.candidates import candidates
from ptx.config import GROUPS
from ptx.hooks.host import load_host


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return load_host(tmp_path_factory.mktemp("desk"), {})


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tr", {"train"}),
        ("saf", {"safety"}),  # a verb of a plugin
        ("train meth", {"method="}),
        ("train method=dp", {"method=dpo"}),
        ("train method=sft,dp", {"method=sft,dpo"}),
        ("train eval=[bench,laten", {"eval=[bench,latency"}),
        ("train compress=spinq", {"compress=spinquant"}),
        ("train recipe=depth_heal_", {"recipe=depth_heal_distill"}),  # a preset
        ("train method=dpo method.bet", {"method.beta="}),
        ("train lora=lora method.lora.alp", {"method.lora.alpha="}),
        ("train eval=[bench] eval.", {"eval.bench."}),
        ("train eval.bench.lim", {"eval.bench.limit="}),
        ("train method.beta=", {"method.beta=0.1"}),
        ("train baseline=", {"baseline=true", "baseline=false"}),
        ("train --dry", {"--dry-run"}),
        ("report --tit", {"--title"}),
        ("plugins sparseg", {"sparsegpt"}),
        ("plugins ne", {"new"}),
        ("runs ", {"ls", "show", "diff", "tail"}),
        ("store ver", {"verify"}),
        ("data sp", {"split"}),
        ("judge r", {"rank"}),
        ("tiny b", {"build"}),
        ("completion z", {"zsh"}),
        ("runs ls --js", {"--json"}),
        ("runs tail --fol", {"--follow"}),
        ("store gc --older", {"--older-than"}),
        ("advise goa", {"goal="}),
        ("advise goal=va", {"goal=variants"}),
        ("advise dat", {"data="}),
        ("plugins new mine --kind comp", {"compressor"}),
        ("plugins new spars", set()),  # a name that nothing has yet
        ("train --cfg ", {"job"}),
        ("train --dry-run method=dp", {"method=dpo"}),  # an option without a value
        ("runs show mine --js", {"--json"}),
        ("docs other", {"other-environment"}),
        ("nonsense method=", set()),
        ("train method=nonsense", set()),
        ("train nonsense.field.", set()),
    ],
)
def test_the_words_that_may_follow(host, typed, offered):
    found = {word for word, _ in candidates(host, typed.split(" "))}
    assert found == offered or (typed.startswith("nonsense") and found)


def test_an_empty_value_of_a_group_of_several_is_offered_in_brackets(host):
    assert {"eval=[bench]", "eval=[latency]"} <= {word for word, _ in candidates(host, ["train", "eval="])}


def test_behind_an_option_that_takes_a_file_stand_files(host, desk):
    (desk / "page.html").touch()
    assert candidates(host, ["check", "data=tiny", "--html", "pa"]) == [("page.html", "file")]


def test_every_verb_and_every_group_has_a_word_about_it(host):
    assert all(about for _, about in candidates(host, [""]))
    assert all(about for word, about in candidates(host, ["train", ""]) if word.rstrip("=") in GROUPS)


def test_runs_are_offered_to_verbs_that_read_them_the_newest_first(host, desk):
    import os

    for age, name in enumerate(("new", "old")):
        (desk / "ptx-out" / "runs" / name).mkdir(parents=True)
        os.utime(desk / "ptx-out" / "runs" / name, (10 - age, 10 - age))
    assert [word for word, about in candidates(host, ["report", ""]) if about == "run"] == ["new", "old"]


def test_files_and_folders_are_offered_behind_a_path(host, desk):
    (desk / "models").mkdir()
    (desk / "more.jsonl").write_text("")
    assert [word for word, _ in candidates(host, ["train", "data=./mo"])] == [
        "data=./models/",
        "data=./more.jsonl",
    ]


def test_presets_of_the_working_folder_are_offered(host, desk):
    (desk / "conf" / "recipe").mkdir(parents=True)
    (desk / "conf" / "recipe" / "our_recipe.yaml").write_text("{}")
    assert ("recipe=our_recipe", "preset") in candidates(host, ["train", "recipe=our"])
