"""Six sweeps in which a newcomer asks which model ships, what it costs, and how sure that is."""

from __future__ import annotations

import json
import random

from benchmarks.report_scale import write_runs
from tests.ptx.report.sweeps import Sweep, write_demo

SIZES = {"[sparsegpt]": (9_830_400, 9.1), "[gptq]": (2_480_128, 6.1), "[rtn_w3]": (1_900_000, 5.8)}


def nothing_passes(folder):
    """Every compressed model is far worse than the one it was made from."""
    sweep = Sweep(folder)
    sweep.run({}, skill=0.7, baseline=True)
    for place, (compress, (size, milliseconds)) in enumerate(SIZES.items()):
        sweep.run({"compress": compress}, skill=0.5 - place / 10, size=size, milliseconds=milliseconds)


def one_model(folder):
    Sweep(folder).run({}, skill=0.5)


def a_thousand(folder):
    write_runs(folder, 1000, 5)


def a_search(folder):
    """A third of the runs of a search over two settings has failed."""
    sweep, generator = Sweep(folder), random.Random(1)
    sweep.run({}, skill=0.42, baseline=True)
    for place in range(24):
        rate, beta = generator.uniform(1, 90), generator.uniform(0.01, 0.5)
        varied = {"method": "dpo", "method.learning_rate": f"{rate:.2f}e-6", "method.beta": f"{beta:.3f}"}
        status = "done" if place % 3 else "failed"
        sweep.run(varied, skill=0.42 + generator.uniform(-0.1, 0.25), status=status)


def without_latency(folder):
    write_demo(folder)
    for path in folder.glob("*/*/result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        result["metrics"] = [one for one in result["metrics"] if not one["name"].startswith("latency/")]
        path.write_text(json.dumps(result), encoding="utf-8")


#: name -> (writer, how the sentence begins, a part of the first screen that answers "how sure")
SITUATIONS = {
    "the demo": (write_demo, "Ship sft · gptq: 4.0", "may be luck among 12 runs"),
    "nothing passes": (
        nothing_passes,
        "Ship nothing yet: every gain costs too much. Nearest is gptq",
        "it fails quality: ",
    ),
    "one model": (one_model, "One model, tiny: bench mean 0.", "There is nothing to compare it with"),
    "a thousand runs": (a_thousand, "Ship ", "As good within noise"),
    "a search with failures": (a_search, "Ship dpo · ", "8 failed"),
    "no latency": (without_latency, "Ship sft · gptq: ", "Not yet sure: latency was not measured"),
}
