"""``make=critique`` with a scripted model: the rows are exactly the script's."""

from __future__ import annotations

import pytest

from ptx import RunConfig, SettingError
from ptx.cli import main
from ptx.files import read_rows
from ptx.hooks.host import get_host
from ptx.lm.serving.decoding import Generated
from ptx.testing import check_plugin
from ptx_critique import Critique, ptx_validate
from ptx_critique.constitution import read
from ptx_critique.critique import critique
from tests.making import numbers_of

TWO = """
after_revision: Nothing else.
principles:
  - {name: harm, critique: What is harmful?, revision: Make it harmless.}
  - {name: rude, critique: What is rude?, revision: Make it polite.}
"""


def script(prompt, place, seed):
    """First answers, critiques and revisions of ``ask N``, told apart by the last turn of the user."""
    number = prompt.split("ask ")[-1].split("[end]")[0].split("\n")[0]
    last = prompt.split("[user] ")[-1].split("[end]")[0]
    if last.startswith("ask"):
        return f"first {number}"
    return (
        f"it is bad {number}" if last.startswith("What") else f"Here is the revised answer: better {number}"
    )


@pytest.fixture
def constitution(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return str(path)


def made_of(run, maker, model, data):
    made = critique(run, maker, model, data)
    return {shape: [*read_rows(made.path / f"{shape}.jsonl")] for shape in maker.gives("prompts")}


def test_revisions_of_the_first_half_are_learnt_and_those_of_the_second_are_preferred(
    scripted, prompts, plain_run, model, constitution
):
    lm = scripted(script, chat=True)
    run = plain_run()
    made = made_of(run, Critique(constitution=constitution, chunk=3), model, prompts(4))
    assert [row["messages"] for row in made["messages"]] == [
        [{"role": "user", "content": f"ask {n}"}, {"role": "assistant", "content": f"better {n}"}]
        for n in (0, 1)
    ]
    sides = [(row["prompt"], row["chosen"], row["rejected"]) for row in made["pairs"]]
    assert sides == [(f"ask {n}", f"better {n}", f"first {n}") for n in (2, 3)]
    assert [row["prompt"] for row in made["prompts"]] == ["ask 2", "ask 3"]
    found = numbers_of(run)
    assert (found["rows_in"], found["messages"], found["pairs"], found["rows_out"]) == (4, 2, 2, 4)
    assert (found["stripped"], found["leaked"], found["unchanged"]) == (4, 0, 0)
    asked = lm.calls[3][0][0]  # the critique of the first answer, after two calls for the first answers
    assert asked.startswith("[user] ask 0[end]\n[assistant] first 0[end]\n[user] What is ")


def test_principles_follow_from_the_seed_and_the_prompt_alone(
    scripted, prompts, plain_run, model, constitution
):
    maker = Critique(constitution=constitution, share=0, chunk=64)
    rows = [{"prompt": f"ask {n}"} for n in range(12)]
    runs = []
    for number, given in enumerate((rows, rows[::-1])):
        scripted(script, chat=True)
        made = made_of(plain_run(), maker, model, prompts(100 + number, rows=given))["pairs"]
        runs.append({row["prompt"]: row["principles"] for row in made})
    assert runs[0] == runs[1]
    assert set(runs[0].values()) == {"harm", "rude"}
    both = made_of(plain_run(), Critique(constitution=constitution, share=0, rounds=2), model, prompts(3))
    assert {row["principles"] for row in both["pairs"]} <= {"harm, rude", "rude, harm"}


def test_what_leaks_or_changes_nothing_or_does_not_end_is_left_out_and_counted(
    scripted, prompts, plain_run, model, tmp_path
):
    path = tmp_path / "one.yaml"
    path.write_text(
        "- {critique: 'What?', revision: Say it so that no child could come to harm by any of it}"
    )
    said = {
        "0": "I say it so that no child could come to harm by any of it",
        "1": "first 1",
        "2": Generated("cut", 3, finished=False),
        "3": "Note",
    }

    def reply(prompt, place, seed):
        text = script(prompt, place, seed)
        number = prompt.split("ask ")[1][0]
        return said[number] if text.startswith("Here") or "[user] Say" in prompt else text

    scripted(reply, chat=True)
    run = plain_run()
    made = made_of(run, Critique(constitution=str(path), share=0), model, prompts(4))
    assert [row["chosen"] for row in made["pairs"]] == ["Note"]
    found = numbers_of(run)
    assert (found["leaked"], found["unchanged"], found["unfinished"], found["pairs"]) == (1, 1, 1, 1)


def test_no_target_holds_its_critique_or_its_principle(scripted, prompts, plain_run, model):
    """With the packaged constitution and a model that repeats all it has heard."""

    def parrot(prompt, place, seed):
        return script(prompt, place, seed) if prompt.count("[user]") == 1 else prompt.split("[end]")[-2]

    scripted(parrot, chat=True)
    run = plain_run()
    made = made_of(run, Critique(rounds=2), model, prompts(20))
    assert (made["messages"], made["pairs"], numbers_of(run)["leaked"]) == ([], [], 20)


def test_a_prompt_that_stands_there_twice_is_in_one_half_only(
    scripted, prompts, plain_run, model, constitution
):
    scripted(script, chat=True)
    run = plain_run()
    rows = [{"prompt": f"ask {n % 2}"} for n in range(4)]
    made = made_of(run, Critique(constitution=constitution), model, prompts(4, rows=rows))
    assert [len(made["messages"]), len(made["pairs"])] == [1, 1]
    assert numbers_of(run)["duplicates"] == 2


def test_a_critic_of_its_own_may_criticise_and_long_chats_are_counted(
    scripted, prompts, plain_run, model, constitution
):
    maker = Critique(critic="start", constitution=constitution, max_new_tokens=500)
    assert maker.models({}) == {"critic": "start"}
    scripted(script, chat=True)
    run = plain_run().at(models={"critic": model})
    made = made_of(run, maker, model, prompts(2))
    assert (made["messages"], numbers_of(run)["too_long"]) == ([], 2)


def test_rows_are_the_same_after_a_kill(scripted, prompts, plain_run, model, constitution):
    data, maker = prompts(6), Critique(constitution=constitution, chunk=2)
    scripted(script, chat=True)
    whole = made_of(plain_run(), maker, model, data)
    run, lm = plain_run(), scripted(script, chat=True)
    answers = lm.generate

    def dies(*given, **named):
        if len(lm.calls) == 6:  # three calls for the answers, then within the second chunk
            raise KeyboardInterrupt
        return answers(*given, **named)

    lm.generate = dies
    with pytest.raises(KeyboardInterrupt):
        made_of(run, maker, model, data)
    lm = scripted(script, chat=True)
    assert made_of(run, maker, model, data) == whole
    assert len(lm.calls) == 4  # a critique and a revision of two chunks


@pytest.mark.parametrize(
    ("given", "message"),
    [({"rounds": 0}, "make.rounds must be at least 1"), ({"share": 1.5}, "make.share must be from 0")],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Critique(**given)


def test_what_is_made_is_known_before():
    assert Critique().gives("prompts") == ("messages", "pairs", "prompts")
    assert (Critique(share=1).gives("x"), Critique(share=0).gives("x")) == (
        ("messages",),
        ("pairs", "prompts"),
    )
    assert Critique().inputs() == [Critique().file]
    assert len(read(Critique().file).principles) == 16


def test_a_constitution_that_is_missing_and_a_model_without_a_form_are_told_before(plain_model, tmp_path):
    config = RunConfig(make=Critique(constitution="./none.yaml"))
    found = [str(problem) for problem in ptx_validate(config, plain_model)]
    assert ["there is no file ./none.yaml" in found[0], "has no chat template" in found[1]] == [True, True]


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_critique")


@pytest.fixture
def fresh_host():
    """The plugins are those of the test's folder, and not of an earlier test's."""
    get_host.cache_clear()
    yield
    get_host.cache_clear()


CRITIC = '''
import ptx


class Critic:
    """The model itself for first answers; requests for critiques and revisions are answered by a script."""

    def __init__(self, lm):
        self.lm, self.max_length, self.emulated = lm, lm.max_length, ""

    def __getattr__(self, name):
        return getattr(self.lm, name)

    def generate(self, prompts, max_new_tokens, **options):
        turns = [prompt.count("<|user|>") for prompt in prompts]
        own = iter(self.lm.generate([p for p, n in zip(prompts, turns) if n == 1], max_new_tokens, **options))
        script = {2: "It could be shorter.", 3: "Here is the revised answer: I will think about it."}
        return [next(own) if n == 1 else script[n] for n in turns]


@ptx.hookimpl(wrapper=True)
def ptx_load():
    return Critic((yield))
'''


@pytest.mark.slow  # three steps on the embedded model
def test_the_recipe_runs_from_one_command_with_a_scripted_critic_and_repeats_no_finished_step(
    tmp_path, monkeypatch, capsys, fresh_host
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ptxfile.py").write_text(CRITIC)
    words = ["train", "recipe=cai", "model=tiny", "eval=[]", "name=cai", "recipe.steps.critique.limit=6"]
    words += ["recipe.steps.critique.max_new_tokens=24", "recipe.steps.sft.max_steps=1"]
    words += ["recipe.steps.dpo.max_steps=1", "recipe.steps.dpo.batch_size=2"]
    assert main(words) == 0
    (made,) = (tmp_path / "ptx-out/runs/cai").glob("*/critique")
    replies = {row["messages"][-1]["content"] for row in read_rows(made / "messages.jsonl")}
    assert replies == {"I will think about it."}
    assert {row["chosen"][-1]["content"] for row in read_rows(made / "pairs.jsonl")} == replies
    capsys.readouterr()
    assert main([*words[:4], "name=again", *words[5:]]) == 0
    assert "3 asked for, 0 ran, 3 shared" in capsys.readouterr().out
