"""What the points of a sweep over bits or sparsities cost, and AWQ beside llm-compressor's plain call.

    python benchmarks/compression.py                            the embedded model
    python benchmarks/compression.py --model DIR --data rows.jsonl --rows 16 --length 256 --json FILE

For each method: one point as it is by default, and a sweep of five points with ``statistics=shared`` and an
empty store, which may cost at most twice the one. Counted is how often the statistics
were measured. Compared is the KL of each result to the model, as its checks measure it.
``awq``: the same calibration rows for llm-compressor's ``AWQModifier`` as its documentation has it, in turns
A B B A; without an accelerator it stops in ``pin_memory``, so that is left out for both.

Seconds are those of the processor, for the whole step: load, calibrate, solve, save, check. Exit code 1 when
a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from ptx import ModelRef, Run, RunConfig, get_host
from ptx.data import open_data
from ptx.files import read_rows
from ptx.store.store import Store
from ptx.testing import Silent

POINTS: dict[str, tuple[str, list[Any]]] = {
    "gptq": ("bits", [3, 4, 5, 6, 8]),
    "awq": ("bits", [3, 4, 5, 6, 8]),
    "sparsegpt": ("sparsity", [0.3, 0.4, 0.5, 0.6, 0.7]),
    "wanda": ("sparsity", [0.3, 0.4, 0.5, 0.6, 0.7]),
    "magnitude": ("sparsity", [0.3, 0.4, 0.5, 0.6, 0.7]),
    "rtn": ("bits", [2, 3, 4, 5, 8]),
}
SHARED = ("gptq", "awq", "sparsegpt", "wanda")
MOST = 2.0  # five points against one
TURNS = "ABBA"


class Bench:
    """One model and its calibration rows, and the seconds of steps on it."""

    def __init__(self, asked: argparse.Namespace, place: Path) -> None:
        self.asked, self.place, self.host, self.count = asked, place, get_host(), 0
        self.model = ModelRef.of(asked.model or tiny_model())
        self.data = open_data("rows", asked.data or tiny_rows(place / "rows.jsonl"))

    def step(self, name: str, store: str, **fields: Any) -> dict[str, Any]:
        """Run one compression: CPU seconds, KL to its input, and what it measured."""
        kind = self.host.choices["compress", name].config_type
        if name not in ("magnitude", "rtn"):
            fields |= {"samples": self.asked.rows, "max_length": self.asked.length}
        self.count += 1
        folder, checkpoints = self.place / f"step-{self.count}", self.place / f"checkpoints-{self.count}"
        folder.mkdir()
        checkpoints.mkdir()
        run = Run(
            RunConfig(), self.host, Silent(), folder, folder / "events.jsonl", checkpoints, 0, "cpu",
            store=Store(self.place / store),
        )  # fmt: skip
        started = time.process_time()
        self.host.first("ptx_compress", run=run, compressor=kind(**fields), model=self.model, data=self.data)
        seconds = time.process_time() - started
        events = list(read_rows(run.events))
        checked = [event for event in events if event["event"] == "checked"]
        built = [event for event in events if event["event"] == "product" and not event["shared"]]
        return {"seconds": seconds, "kl": checked[-1].get("kl_to_input"), "measured": len(built)}

    def points(self, name: str) -> dict[str, Any]:
        """One point by default, and a sweep of five."""
        field, values = POINTS[name]
        how = {"statistics": "shared"} if name in SHARED else {}
        sweep = [self.step(name, f"store-{name}", **{field: value}, **how) for value in values]
        one = self.step(name, f"store-{name}-alone", **{field: values[2]})
        return {
            "one": one,
            "sweep": dict(zip(map(str, values), sweep, strict=True)),
            "measured": sum(point["measured"] for point in sweep),
            "ratio": sum(point["seconds"] for point in sweep) / one["seconds"],
        }

    def plain_awq(self) -> float:
        """CPU seconds of llm-compressor's own call, with the rows that ptx draws."""
        from llmcompressor import oneshot
        from llmcompressor.core import reset_session
        from llmcompressor.modifiers.quantization import QuantizationModifier
        from llmcompressor.modifiers.transform import AWQModifier
        from llmcompressor.pipelines.cache import IntermediatesCache
        from torch.utils.data import DataLoader

        from ptx.lm.compression.calibration import Calibrated
        from ptx.lm.compression.oneshot import calibration_batches
        from ptx.lm.load import load_model, load_tokenizer

        tokenizer = load_tokenizer(self.model.path)
        sample = Calibrated(samples=self.asked.rows, max_length=self.asked.length)
        batches = calibration_batches(self.data, tokenizer, sample, 0)
        IntermediatesCache.pin_memory = lambda *_, **__: None
        reset_session()
        started = time.process_time()
        network = load_model(self.model.path)
        oneshot(
            model=network,
            tokenizer=tokenizer,
            dataset=DataLoader(batches, batch_size=None),
            recipe=[
                AWQModifier(),
                QuantizationModifier(targets=["Linear"], scheme="W4A16", ignore=["re:.*lm_head"]),
            ],
            num_calibration_samples=len(batches),
        )
        self.count += 1
        network.save_pretrained(self.place / f"plain-{self.count}", save_compressed=True)
        reset_session()
        return time.process_time() - started

    def awq_in_turns(self) -> dict[str, Any]:
        """A: the plain call, B: ``compress=[awq]`` in each of its ways."""
        of: dict[str, Callable[[str], float]] = {
            "A": lambda _: self.plain_awq(),
            "B": lambda turn: self.step("awq", f"awq-{turn}", bits=4)["seconds"],
        }
        seconds = [(who, of[who](f"{place}")) for place, who in enumerate(TURNS)]
        plain, ours = (sum(value for who, value in seconds if who == one) for one in "AB")
        return {"turns": seconds, "ratio": ours / plain}


def tiny_model() -> Path:
    """The folder of the embedded model."""
    import ptx_tiny

    return Path(ptx_tiny.MODEL_FOLDER)


def tiny_rows(file: Path) -> Path:
    """Texts of the embedded model's own calibration data."""
    from ptx_tiny.data import calibration

    rows = [row for _, row in zip(range(400), calibration(), strict=False)]
    file.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows))
    return file


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=[*POINTS, "plain"], help=f"of {', '.join(POINTS)}, plain")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, help="JSON lines with a text or messages")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(asked, Path(place))
        bench.step("rtn", "warm")  # the libraries are imported
        for part in asked.parts:
            found[part] = bench.awq_in_turns() if part == "plain" else bench.points(part)
            print(part, json.dumps(found[part]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    missed = [name for name in SHARED if name in found and found[name]["ratio"] > MOST]
    missed += [name for name in SHARED if name in found and found[name]["measured"] != 1]
    missed += ["plain"] if found.get("plain", {"ratio": 0})["ratio"] > 1.05 else []
    print(f"missed: {', '.join(missed)}" if missed else "every goal is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
