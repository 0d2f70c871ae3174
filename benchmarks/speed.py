"""Time of ptx beside the tools it is built on: the same model, rows and machine, in turns (A B B A).

    python benchmarks/speed.py                                         the embedded model, minutes
    python benchmarks/speed.py --model DIR --data train.jsonl --rows 8 --json benchmarks/speed.json
    python benchmarks/speed.py --device cuda                           skips without a GPU

``sft``: TRL's SFTTrainer as TRL's defaults are (on a CPU in float32) beside ``method=sft``; seconds of
``train()``, and the losses of both. ``dpo``: the same for DPO. ``reference``: TRL's pass for
``precompute_ref_log_probs`` beside ptx's for the same pairs, and how far the numbers are apart.
``perplexity``: lm-eval's rolling log-likelihood beside the scores of ``eval=[perplexity]``.

``--data`` is a file of JSON lines with ``question`` and ``answer``. A CPU's times are those of the processor,
a GPU's those of the clock, synchronised. Prints every ratio with its turns, and writes them as JSON. Exit
code 1 when a ratio misses its goal by more than a turn's noise.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import platform
import sys
import tempfile
import time
import uuid
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

#: part -> largest allowed ptx / other by device
GOALS = {
    "sft": {"cpu": 1 / 1.5, "cuda": 1 / 4},
    "dpo": {"cpu": 1 / 1.5, "cuda": 1 / 3},
    "reference": {"cpu": 1.1, "cuda": 1.1},
    "perplexity": {"cpu": 1.05, "cuda": 1.05},
}
TURNS = "ABBA"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(GOALS), help=f"of {', '.join(GOALS)}")
    parser.add_argument("--model", type=Path, help="a model folder with a chat template (default: tiny)")
    parser.add_argument("--data", type=Path, help="JSON lines of question and answer (default: tiny's)")
    parser.add_argument("--rows", type=int, default=16, help="rows of an optimizer step")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(GOALS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(GOALS)}")

    import torch

    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: the benchmarks of a GPU are skipped")
        return 0
    if asked.device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="ptx-speed-") as scratch:
        setting = Setting(asked, Path(scratch))
        found = {part: measured(setting, part, asked) for part in asked.parts}
    return int(any(min(one["ratios"]) > GOALS[part][asked.device] for part, one in found.items()))


def measured(setting, part, asked):
    """One part's turns; printed, and added to the file at once."""
    one = turns(*getattr(setting, part)(), asked.device)
    goal = GOALS[part][asked.device]
    print(f"{part}: ptx / other {one['ratio']:.2f} (turns {one['ratios']}; goal {goal:.2f}); {one['same']}")
    if asked.json:
        known = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.exists() else {}
        known[f"{part} {asked.device}"] = {"machine": machine(asked), "asked": shown(asked), **one}
        asked.json.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return one


def machine(asked):
    import torch

    from ptx.machine import cpu_name, versions

    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if asked.device == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": versions(("torch", "transformers", "trl", "lm-eval")),
    }


def shown(asked):
    """What was asked, without the places of files."""
    return {
        name: value.name if isinstance(value, Path) else value
        for name, value in vars(asked).items()
        if name not in ("json", "parts")
    }


def turns(other, ours, compared, device):
    """Time both in turns; each returns (seconds, result)."""
    spent, results = {"A": [], "B": []}, {}
    for side in TURNS:
        seconds, results[side] = (other if side == "A" else ours)()
        spent[side].append(round(seconds, 3))
        print(f"  {'other' if side == 'A' else 'ptx'}: {seconds:.2f} s", file=sys.stderr, flush=True)
    ratios = [round(mine / theirs, 3) for theirs, mine in zip(spent["A"], spent["B"], strict=True)]
    whole = sum(spent["B"]) / sum(spent["A"])
    return {
        "clock": "processor" if device == "cpu" else "wall",
        "other_seconds": spent["A"],
        "ptx_seconds": spent["B"],
        "ratios": ratios,
        "ratio": round(whole, 3),
        "same": compared(results["A"], results["B"]),
    }


class Watch:
    """Counts the seconds of calls of one method while it is open."""

    def __init__(self, owner, name, device):
        self.owner, self.name, self.device, self.seconds = owner, name, device, 0.0

    def now(self):
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def __enter__(self):
        self.usual = getattr(self.owner, self.name)

        @functools.wraps(self.usual)
        def timed(*args, **options):
            started = self.now()
            try:
                return self.usual(*args, **options)
            finally:
                self.seconds += self.now() - started

        setattr(self.owner, self.name, timed)
        return self

    def __exit__(self, *_):
        setattr(self.owner, self.name, self.usual)


class Setting:
    """The model, the rows, and the two sides of every part."""

    def __init__(self, asked, scratch):
        from ptx import ModelRef, get_host
        from ptx.lm.load import load_tokenizer, quiet

        quiet()
        self.asked, self.scratch, self.host, self.device = asked, scratch, get_host(), asked.device
        self.folder = asked.model or self.resolved("model")
        self.model, self.tokenizer = ModelRef.of(self.folder), load_tokenizer(self.folder)
        self.rows = list(read_rows(asked.data) if asked.data else self.own_rows())

    def resolved(self, group):
        value = self.host.choices[group, "tiny"].config_type()
        return self.host.first("ptx_resolve", value=value, cache=self.scratch)

    def own_rows(self):
        from ptx.data import open_data

        for row in open_data("tiny", self.resolved("data")).rows("messages"):
            asked, answer = (turn["content"] for turn in row["messages"][-2:])
            yield {"question": asked, "answer": answer}

    def pairs(self, count):
        chosen, others = self.rows[:count], [*self.rows[1:count], self.rows[0]]
        return [
            {"prompt": row["question"], "chosen": row["answer"], "rejected": other["answer"]}
            for row, other in zip(chosen, others, strict=True)
        ]

    def run(self, method):
        from ptx import RunConfig
        from ptx.hooks.run import Run
        from ptx.testing import Silent

        home = self.scratch / uuid.uuid4().hex
        (home / "checkpoints").mkdir(parents=True)
        config = RunConfig(method=method, runtime=self.host.choices["runtime", "hf"].config_type())
        return Run(
            config, self.host, Silent(), home, home / "events.jsonl", home / "checkpoints", 0, self.device
        )

    def data(self, name, rows):
        from ptx.data import open_data

        file = self.scratch / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return open_data(name, file)

    def trl(self, kind, rows, **settings):
        """TRL's trainer with TRL's defaults."""
        import trl
        from datasets import Dataset
        from transformers import AutoModelForCausalLM

        on_cpu = {"use_cpu": True, "bf16": False} if self.device == "cpu" else {}
        config = getattr(trl, f"{kind}Config")(
            output_dir=str(self.scratch / "trl"),
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_steps=1,
            seed=0,
            **on_cpu,
            **settings,
        )
        model = AutoModelForCausalLM.from_pretrained(self.folder, dtype="float32")
        return getattr(trl, f"{kind}Trainer")(
            model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=self.tokenizer
        )

    def trained_by_trl(self, kind, rows, **settings):
        from transformers import Trainer

        steps = {"max_steps": self.asked.steps, "per_device_train_batch_size": self.asked.rows}
        trainer = self.trl(kind, rows, **steps, **settings)
        with Watch(Trainer, "train", self.device) as watch:
            trainer.train()
        return watch.seconds, [one["loss"] for one in trainer.state.log_history if "loss" in one]

    def trained_by_ptx(self, method, data):
        from transformers import Trainer

        from ptx.files import read_rows as events_of
        from ptx.lm.training import reference

        run = self.run(method)
        with Watch(Trainer, "train", self.device) as watch, Watch(reference, "_build", self.device) as before:
            self.host.first("ptx_train", run=run, method=method, model=self.model, data=data)
        logged = [event["metrics"] for event in events_of(run.events) if event["event"] == "log"]
        losses = [metrics["loss"] for metrics in logged if "loss" in metrics]
        return watch.seconds + before.seconds, losses

    def sft(self):
        rows = self.rows[: self.asked.rows * self.asked.steps]
        method = self.method("sft", 2e-5)
        data = self.data(
            "answers", [{"prompt": row["question"], "completion": row["answer"]} for row in rows]
        )
        turns_of = [
            {"prompt": prompt(row), "completion": [{"role": "assistant", "content": row["answer"]}]}
            for row in rows
        ]
        return (
            lambda: self.trained_by_trl("SFT", turns_of, learning_rate=2e-5, warmup_steps=0.03),
            lambda: self.trained_by_ptx(method, data),
            apart("losses"),
        )

    def method(self, name, rate):
        return self.host.choices["method", name].config_type(
            learning_rate=rate, batch_size=self.asked.rows, micro_batch=None, max_steps=self.asked.steps
        )

    def dpo(self):
        pairs = self.pairs(self.asked.rows * self.asked.steps)
        method, data = self.method("dpo", 1e-6), self.data("dpo", pairs)
        turns_of = [with_turns(row) for row in pairs]
        return (
            lambda: self.trained_by_trl("DPO", turns_of, learning_rate=1e-6, warmup_steps=0.03),
            lambda: self.trained_by_ptx(method, data),
            apart("losses"),
        )

    def reference(self):
        import trl

        pairs = self.pairs(self.asked.pairs)
        method = self.method("dpo", 1e-6)
        method.max_steps, method.learning_rate = 1, 1e-9
        data = self.data("pairs", pairs)

        def other():
            with fresh_cache(self.scratch), Watch(trl.DPOTrainer, "_precompute_ref_logps", self.device) as w:
                trainer = self.trl("DPO", [with_turns(row) for row in pairs], precompute_ref_log_probs=True)
            rows = trainer.train_dataset
            return w.seconds, sorted([*rows["ref_chosen_logps"], *rows["ref_rejected_logps"]])

        def ours():
            from ptx.lm.training import reference

            run = self.run(method)
            with (
                Watch(reference, "_build", self.device) as watch,
                contextlib.suppress(Stop),
                stopped_after(reference),
            ):
                self.host.first("ptx_train", run=run, method=method, model=self.model, data=data)
            (file,) = run.folder.glob("products/*/values.json")
            return watch.seconds, sorted(json.loads(file.read_text()))

        return other, ours, apart("log-probabilities")

    def perplexity(self):
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM

        from ptx.lm.evaluation.texts import Text
        from ptx.lm.tokens import first_token
        from ptx_perplexity.evaluate import scored

        texts = [f"{row['question']}\n{row['answer']}" for row in self.rows[: self.asked.texts]]
        run = self.run(self.method("sft", 1e-5))
        lm = run.load(self.model)
        size = lm.max_length
        direct = HFLM(
            pretrained=lm.model, tokenizer=self.tokenizer, batch_size=lm.batch_size, max_length=size
        )
        asked = [Instance("loglikelihood_rolling", {}, (text,), n) for n, text in enumerate(texts)]
        parts = [Text(str(n), text, {}) for n, text in enumerate(texts)]
        prefix = first_token(self.tokenizer)

        def timed(call):
            watch = Watch(None, "", self.device)
            started = watch.now()
            values = call()
            return watch.now() - started, values

        return (
            lambda: timed(lambda: direct.loglikelihood_rolling(asked, disable_tqdm=True)),
            lambda: timed(
                lambda: [-row["nats"] for row in scored(run, lm, parts, prefix, windows_of=(size, 1))]
            ),
            apart("log-likelihoods"),
        )


class Stop(BaseException):
    """Ends a training before its first step."""


@contextlib.contextmanager
def stopped_after(module):
    usual = module.stored

    def stored(*args, **options):
        usual(*args, **options)
        raise Stop

    module.stored = stored
    try:
        yield
    finally:
        module.stored = usual


@contextlib.contextmanager
def fresh_cache(folder):
    """TRL's cache of the reference is another file each time, so it computes what it is timed for."""
    from datasets import Dataset

    usual = Dataset._get_cache_file_path  # noqa: SLF001 (TRL asks it)
    Dataset._get_cache_file_path = lambda *_: str(folder / f"{uuid.uuid4().hex}.arrow")  # noqa: SLF001
    try:
        yield
    finally:
        Dataset._get_cache_file_path = usual  # noqa: SLF001


def apart(what):
    def compared(theirs, mine):
        far = max(min(abs(one - other) for other in theirs) for one in mine)
        return f"{len(mine)} {what} at most {far:.2g} apart"

    return compared


def prompt(row):
    return [{"role": "user", "content": row["question"]}]


def with_turns(row):
    sides = {side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
    return {"prompt": [{"role": "user", "content": row["prompt"]}], **sides}


def read_rows(file):
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
