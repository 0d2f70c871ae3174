"""A ``ptxfile.py`` whose training can crash, wait or log, for runs in other processes; plans over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.hooks.host import load_host
from ptx.plan.planner import make_plan
from ptx.testing import Silent

#: every training appends to the files ``trained`` (rate, process id) and ``gpus`` (what it may see)
PTXFILE = """
import os, signal, sys, time
sys.path.insert(0, TESTS)
from conftest import Count, Plain, ToyMethod, ToyPlugin
import ptx

class Steady(Count):
    timed = True

CHOICES = [
    ptx.Choice("runtime", "plain", Plain),
    ptx.Choice("eval", "count", Count),
    ptx.Choice("eval", "steady", Steady),
]

class Plugin(ToyPlugin):
    @ptx.hookimpl
    def ptx_choices(self):
        kept = [choice for choice in super().ptx_choices() if choice.group not in ("runtime", "eval")]
        return [*kept, *CHOICES]

    @ptx.hookimpl
    def ptx_train(self, run, method, model, data):
        if isinstance(method, ToyMethod):
            with open("gpus", "a") as file:
                file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "") + "\\n")
            with open("trained", "a") as file:
                file.write(f"{method.rate} {os.getpid()}\\n")
            if method.args.get("crash"):
                os.kill(os.getpid(), getattr(signal, method.args["crash"]))
            for step in range(int(method.args.get("steps", 0))):
                run.log({"loss": 1.0}, step, 100)
                time.sleep(0.1)
            deadline = time.time() + float(method.args.get("seconds", 0))
            while time.time() < deadline and not os.path.exists("hurry"):
                time.sleep(0.1)
        return super().ptx_train(run, method, model, data)

toy = Plugin()
globals().update({name: getattr(toy, name) for name in dir(toy) if name.startswith("ptx_")})
""".replace("TESTS", repr(str(Path(__file__).parents[2])))
#: as a script with ``nohup COMMAND &`` starts it: Ctrl-C is ignored, by all its children too
IN_THE_BACKGROUND = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
WORDS = ["model=./model", "data=./text.jsonl", "method=toy", "runtime=plain", "eval=[count,steady]"]


@pytest.fixture
def folder(desk):
    """A working folder with the plugin, a model and data."""
    (desk / "ptxfile.py").write_text(PTXFILE)
    return desk


@pytest.fixture
def host(folder):
    return load_host(folder, {"PTX_DISABLE": "checks"})


def plan_of(*words, host, out="ptx-out"):
    jobs = compose_jobs(host, "train", [*WORDS, *words, f"out={out}"], multirun=True)
    return make_plan(host, "train", jobs, "ptx test")


def made(plan):
    """How often the journals say of each key that it was made."""
    events = [event for run in plan.runs for event in read_rows(plan.folder / run.id / "events.jsonl")]
    keys = [event["key"] for event in events if event["event"] == "step_finished" and not event["shared"]]
    return {key: keys.count(key) for key in keys}


def results(plan):
    found = {}
    for run in plan.runs:
        result = read_json(plan.folder / run.id / "result.json")
        found[run.id] = [(metric["name"], metric["value"]) for metric in result["metrics"]]
    return found


def trained(folder):
    """The trainings so far: (rate, process id)."""
    path = folder / "trained"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(rate, int(pid)) for rate, pid in map(str.split, lines)]


#: the same in this process, with the fixture ``toy_host``
TOY = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


def toy_plan(host, *words, verb="train", multirun=False):
    return make_plan(host, verb, compose_jobs(host, verb, [*TOY, *words], multirun=multirun), "ptx test")


def run(host, *words, **options):
    plan = toy_plan(host, *words, **options)
    return plan, run_sweep(plan, host, Silent())


def result_of(plan, position=-1):
    return read_json(plan.folder / plan.runs[position].id / "result.json")
