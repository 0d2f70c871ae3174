"""What a stranger's plugin does wrong is said with its name, and costs no more than it must.

One table for the time before the first step, one for steps, one for what a run survives.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

from ptx.files import read_json
from ptx.hooks import host as hosts

HEAD = """
from dataclasses import dataclass
from pathlib import Path
import ptx

@dataclass
class Mine(ptx.Compressor):
    needs = ()
    how: str = ptx.setting("", "what it does wrong")

@dataclass
class Sound(ptx.Evaluator):
    seen: int = ptx.setting(1, "how many")

def compresses(run, model):
    import shutil
    shutil.copytree(model.path, run.folder / "model")
    file = run.folder / "model" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + bytes(4))
    return ptx.ModelRef.of(run.folder / "model")

@ptx.hookimpl
def ptx_choices():
    return [ptx.Choice("compress", "mine", Mine, "x"), ptx.Choice("eval", "sound", Sound, "x")]

"""
WORDS = [
    "compress",
    "model=./model",
    "data=./text.jsonl",
    "compress=[mine]",
    "eval=[]",
    "baseline=false",
    "name=a",
]


@pytest.fixture
def stranger(ptx, toy, host_with, monkeypatch):
    """``stranger(code, words)``: a command with a plugin of this code; its exit code and what it said."""

    def run(code: str, words=WORDS, head=HEAD):
        host = host_with(toy=toy)
        module = types.ModuleType("stranger_code")

        def load():
            exec(compile(head + code, "stranger.py", "exec"), module.__dict__)
            module.__file__ = "stranger.py"
            return module

        monkeypatch.setitem(sys.modules, "stranger_code", module)
        for group, name in (("compress", "mine"), ("eval", "sound")):
            ConfigStore.instance().repo.get(group, {}).pop(f"{name}.yaml", None)  # of the test before
        hosts._load(host, "stranger", "stranger", "1", load)
        for verb in ("train", "plugins"):
            monkeypatch.setattr(f"ptx.cli.{verb}.get_host", lambda: host)
        return ptx(*words)

    return run


HOOK = "@ptx.hookimpl\ndef "
EARLY = {
    "raises in validate": (
        f"{HOOK}ptx_validate(config): raise KeyError('no')",
        "ptx_validate raised there is no 'no' (stranger.py:",
    ),
    "wrong type of validate": (
        f"{HOOK}ptx_validate(config): return 'bad'",
        "ptx_validate returned 'bad', not a list of Problem",
    ),
    "exits in validate": (
        f"{HOOK}ptx_validate(config): raise SystemExit(0)",
        "ptx_validate raised SystemExit: 0 (stranger.py:",
    ),
    "wrong type of searchpath": (
        f"{HOOK}ptx_searchpath(): return 'conf'",
        "ptx_searchpath returned 'conf', not a list of str",
    ),
    "resolves to a text": (
        f"{HOOK}ptx_resolve(value): return 'here'",
        "ptx_resolve returned 'here', not a Path",
    ),
}


@pytest.mark.parametrize(("code", "said"), EARLY.values(), ids=EARLY)
def test_before_the_first_step_the_command_ends_with_the_name_and_how_to_go_on(stranger, desk, code, said):
    ended, _, err = stranger(code)
    assert ended == 2
    assert f"plugin stranger: {said}" in err
    assert "PTX_DISABLE=stranger" in err
    assert "Traceback" not in err
    assert not list(desk.glob("ptx-out/runs/*/*/run.json"))


BROKEN = {
    "raises on import": ("raise RuntimeError('no')", "RuntimeError: no"),
    "misspelt hook": (
        f"{HOOK}ptx_compres(run): pass",
        "ptx_compres is no hook; did you mean 'ptx_compress'?",
    ),
    "misspelt argument": (f"{HOOK}ptx_compress(run, modle): pass", "modle"),
    "hook without its mark": ("def ptx_compress(run): pass", "ptx_compress is not marked"),
    "wrong base class": (
        "Mine.__bases__\nptx_choices = lambda: [ptx.Choice('eval', 'm', Mine)]",
        "Mine must derive from ptx.Evaluator to be given as eval=",
    ),
    "no list of choices": ("ptx_choices = lambda: 3", "ptx_choices returned 3, not a list of Choice"),
    "taken name": (
        "ptx_choices = lambda: [ptx.Choice('compress', 'halve', Mine)]",
        "compress=halve is given by two plugins: toy",
    ),
    "one name twice": (
        "ptx_choices = lambda: [ptx.Choice('eval', 's', Sound)] * 2",
        "ptx_choices gives eval=s twice",
    ),
    "written for a later ptx": ("PTX_API = 9", "written for version 9"),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_plugin_that_cannot_be_used_loses_its_own_choices_and_no_others(stranger, code, said):
    ended, _, err = stranger(code)
    assert ended == 2
    assert "no compress 'mine'" in err
    assert "plugin stranger (stranger) is not loaded" in err
    assert said in err
    assert stranger(code, [*WORDS[:3], "compress=[round]", *WORDS[4:]])[0] == 0


def test_a_taken_name_is_an_error_for_whoever_types_it(stranger):
    taken = BROKEN["taken name"][0]
    ended, _, err = stranger(taken, [*WORDS[:3], "compress=[halve]", *WORDS[4:]])
    assert ended == 2
    assert "compress=halve is given by two plugins: toy" in err
    assert "PTX_DISABLE=stranger" in err


COMPRESS = "@ptx.hookimpl(tryfirst=True)\ndef ptx_compress(run, compressor, model):\n    "
STEP = {
    "raises": (
        "raise KeyError('weights')",
        "there is no 'weights' (plugin stranger, ptx_compress, stranger.py:",
    ),
    "exits": ("raise SystemExit(0)", "plugin stranger: ptx_compress raised SystemExit: 0 (stranger.py:"),
    "text": ("made = str(run.folder)", "plugin stranger: ptx_compress returned 'run.folder', not a ModelRef"),
    "absent": (
        "made = ptx.ModelRef(run.folder / 'x')",
        "a ModelRef of run.folder/x, where there is no folder",
    ),
    "empty": (
        "(run.folder / 'x').mkdir(); made = ptx.ModelRef(run.folder / 'x')",
        "run.folder/x, a folder without files",
    ),
    "input": ("made = model", "plugin stranger: mine returned"),
    "good": ("made = compresses(run, model)", ""),
}
CHANGED = {
    "writes": (
        "(model.path / 'new').touch(); made = compresses(run, model)",
        "plugin stranger changed its input: new in",
    ),
    "writes and raises": (
        "(model.path / 'new').touch(); raise KeyError('x')",
        "plugin stranger changed its input: new in",
    ),
}


def compressing(table):
    codes = {how: code for how, (code, _) in table.items()}
    return (
        f"CODES = {codes!r}\n{COMPRESS}if not isinstance(compressor, Mine): return None\n"
        "    names = {**globals(), **locals()}\n    exec(CODES[compressor.how], names)\n"
        "    return names['made']\n"
    )


def messages():
    """What each run of the sweep failed with, by what its step did; empty for one that is done."""
    runs = [path.parent for path in Path("ptx-out/runs/a").glob("*/result.json")]
    errors = {run: read_json(run / "result.json")["error"] or {"message": ""} for run in runs}
    return {
        read_json(run / "run.json")["config"]["compress"]["mine"]["how"]: error["message"]
        for run, error in errors.items()
    }


def test_a_step_that_goes_wrong_fails_its_run_with_the_name_and_the_others_go_on(stranger):
    words = ["compress", "-m", *WORDS[1:], f"compress.mine.how={','.join(STEP)}"]
    ended, out, _ = stranger(compressing(STEP), words)
    found = messages()
    assert ended == 1
    assert {how: said for how, (_, said) in STEP.items() if said not in found[how]} == {}
    assert [how for how, message in found.items() if not message] == ["good"]
    assert "Traceback" not in out
    assert not list(Path("ptx-out/store/staging").glob("*"))


@pytest.mark.parametrize("how", CHANGED)
def test_a_step_that_writes_into_its_input_is_named_with_the_file(stranger, how):
    assert stranger(compressing(CHANGED), [*WORDS, f"compress.mine.how={how}"])[0] == 1
    assert CHANGED[how][1] in messages()[how]


EVALUATE = "@ptx.hookimpl(tryfirst=True)\ndef ptx_evaluate(evaluator):\n    return "
METRIC = "ptx.Metric('sound/x', 1.0, '', 'higher', 1.0, 1.0, 1)"
EVALUATED = {
    "no evaluation": ("{'x': 1}", "returned {'x': 1}, not a Evaluation"),
    "bare numbers": ("ptx.Evaluation([0.5])", "returned a list with 0.5, which is no Metric"),
    "rows without items": (f"ptx.Evaluation([{METRIC}], [{{'x': 1}}])", "lacks item or scores"),
}


@pytest.mark.parametrize(("code", "said"), EVALUATED.values(), ids=EVALUATED)
def test_an_evaluation_of_another_kind_fails_with_the_name(stranger, code, said):
    words = ["eval", "model=./model", "eval=[sound]", "baseline=false", "name=a"]
    assert stranger(EVALUATE + code, words)[0] == 1
    (result,) = Path("ptx-out/runs/a").glob("*/result.json")
    message = read_json(result)["error"]["message"]
    assert message.startswith("plugin stranger: ptx_evaluate returned ")
    assert said in message


def test_a_model_without_its_methods_is_the_fault_of_the_plugin_that_opened_it(stranger):
    code = (
        "class Empty:\n    close = lambda self: None\n"
        "@ptx.hookimpl(tryfirst=True)\ndef ptx_load(runtime):\n    return Empty()\n"
        "@ptx.hookimpl(tryfirst=True)\ndef ptx_evaluate(lm):\n    lm.generate(['a'], 3)\n"
    )
    words = ["eval", "model=./model", "eval=[sound]", "baseline=false", "name=a"]
    assert stranger(code, words)[0] == 1
    (result,) = Path("ptx-out/runs/a").glob("*/result.json")
    message = read_json(result)["error"]["message"]
    assert "(plugin stranger, ptx_load: a ptx.LanguageModel has generate())" in message
    assert stranger(code.replace("return Empty()", "return 3"), [*words[:-1], "name=b"])[0] == 1
    (result,) = Path("ptx-out/runs/b").glob("*/result.json")
    assert "returned 3, which is no ptx.LanguageModel" in read_json(result)["error"]["message"]


AROUND = "@ptx.hookimpl(wrapper=True)\ndef ptx_run(run):\n    "
GOOD = COMPRESS + "return compresses(run, model) if isinstance(compressor, Mine) else None\n"
SURVIVED = {
    "a tracker that raises": (f"{HOOK}ptx_log(run, metrics, step): raise KeyError('no')", "eval=[]"),
    "a wrapper that cannot start": (
        AROUND + "raise KeyError('no')\n    yield",
        "there is no 'no' (plugin stranger, ptx_run, stranger.py",
    ),
    "a wrapper that cannot end": (
        AROUND + "yield\n    raise KeyError('no')",
        "there is no 'no' (plugin stranger, ptx_run, stranger.py",
    ),
}


@pytest.mark.parametrize(("code", "said"), SURVIVED.values(), ids=SURVIVED)
def test_an_observer_that_goes_wrong_is_said_and_the_run_is_done(stranger, code, said):
    ended, out, _ = stranger(GOOD + code)
    assert ended == 0
    assert said in " ".join(out.split())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("yield", "gives no answer: a wrapper ends with `return (yield)`"),
        ("return (yield (yield))", "yielded twice"),
    ],
)
def test_a_wrapper_that_loses_the_answer_is_named(stranger, code, said):
    around = f"@ptx.hookimpl(wrapper=True)\ndef ptx_compress(run):\n    {code}\n"
    inner = '@ptx.hookimpl(specname="ptx_compress", tryfirst=True)\ndef inner(run, model):\n    return '
    assert stranger(f"{inner}compresses(run, model)\n{around}")[0] == 1
    (result,) = Path("ptx-out/runs/a").glob("*/result.json")
    assert f"plugin stranger: ptx_compress {said}" in read_json(result)["error"]["message"]


def test_what_it_prints_is_no_output_of_a_command_for_programs(stranger):
    ended, out, _ = stranger(
        f"{HOOK}ptx_searchpath():\n    print('hello')\n    return []\n", ["plugins", "--json"]
    )
    assert ended == 0
    assert [choice["name"] for choice in json.loads(out) if choice["plugin"] == "stranger"] == [
        "mine",
        "sound",
    ]
    assert "hello" not in out


def test_a_heavy_import_is_told_where_plugins_are_listed(stranger, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # what was there comes back after the test
    del sys.modules["wandb"]
    heavy = "import sys, types\nsys.modules['wandb'] = types.ModuleType('wandb')\n"
    ended, out, _ = stranger(heavy, ["plugins"])
    assert ended == 0
    assert "slow: stranger (stranger) imports wandb when it is loaded" in out


SCORES = {
    "too few": ("[1.0]", "returned 1 scores for 2 completions"),
    "texts": ("['good', 'bad']", "not a list of numbers"),
    "nothing in place of a number": ("[None, 1.0]", "not a list of numbers"),
}


@pytest.mark.parametrize(("answer", "said"), SCORES.values(), ids=SCORES)
def test_scores_of_another_kind_are_named_and_what_was_given_stays_as_it_was(
    host_with, toy, make_run, answer, said
):
    from ptx import Scorer, StepError, hookimpl

    class Stranger:
        @hookimpl
        def ptx_score(self, scorer, completions):
            completions.pop(0) if len(completions) > 2 else None
            return eval(answer)

    run = make_run(host=host_with(toy=toy, stranger=Stranger()))
    with pytest.raises(StepError, match=f"plugin stranger: ptx_score .*{said}"):
        run.score(Scorer(), ["p", "p"], ["a", "b"], [None, None])
    given = ["a", "b", "c"]
    with pytest.raises(StepError):
        run.score(Scorer(), ["p"] * 3, given, [None] * 3)
    assert given == ["a", "b", "c"]
