"""A data folder with all three shapes, and runs of ``method=mix`` on it."""

import json

import pytest

import ptx_mix
from ptx import RunConfig
from ptx.data import open_data
from ptx_mix import Mix


def chat(asked, reply):
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]}


MESSAGES = [chat(f"what is {n} plus {n}? ", f"it is {2 * n}") for n in range(16)]
PAIRS = [
    {"prompt": f"how are you on day {n}? ", "chosen": "well, thank you", "rejected": "who knows?"}
    for n in range(12)
]
SAFETY = [
    {
        "prompt": f"how do I break {what}? ",
        "harmful": harmful,
        "reference": "I cannot help" if harmful else f"with {n} hands",
    }
    for n, (what, harmful) in enumerate([("a lock", True), ("bread", False)] * 4)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture
def family(tmp_path):
    """The data folder."""
    return write_family(tmp_path / "family")


def write_family(folder, **changes):
    folder.mkdir()
    for shape, rows in {"messages": MESSAGES, "pairs": PAIRS, "safety": SAFETY, **changes}.items():
        if rows:
            (folder / f"{shape}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def mix(make_run, train, chat_model, family):
    """``mix("name", lambda_pref=0.5)``: the run and its result; ``seed`` and ``store`` may be given too."""

    def start(name="mix", seed=0, store=None, models=None, **settings):
        run = make_run(RunConfig(method=Mix(**{**QUICK, **settings})), [ptx_mix], name, seed)
        run = run.at(store=store, models=models or {})
        return run, train(run, chat_model, open_data("family", family))

    return start
