"""What all parts share: a clock, the model and the rows, and a run of ptx without a sweep."""

import functools
import json
import time
import uuid


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
        from ptx.models.shape import ModelShape

        quiet()
        self.asked, self.scratch, self.host, self.device = asked, scratch, get_host(), asked.device
        self.folder = asked.model or self.resolved("model")
        self.model, self.tokenizer = ModelRef.of(self.folder), load_tokenizer(self.folder)
        self.shape = ModelShape.of(self.folder)
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
        config = RunConfig(
            method=method,
            runtime=self.host.choices["runtime", "hf"].config_type(),
            scorer={"length": self.host.choices["scorer", "length"].config_type(words=self.asked.words)},
        )
        return Run(
            config, self.host, Silent(), home, home / "events.jsonl", home / "checkpoints", 0, self.device
        )

    def data(self, name, rows):
        from ptx.data import open_data

        file = self.scratch / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return open_data(name, file)

    def method(self, name, rate, **settings):
        made = self.host.choices["method", name].config_type(
            learning_rate=rate,
            batch_size=self.asked.rows,
            micro_batch=None,
            max_steps=self.asked.steps,
            checkpoint_every=0,  # the other side writes none either
            **settings,
        )
        return made.placed(self.shape, self.device)


def apart(what):
    def compared(theirs, mine):
        far = max(min(abs(one - other) for other in theirs) for one in mine)
        return f"{len(mine)} {what} at most {far:.2g} apart"

    return compared


def prompt(row):
    return [{"role": "user", "content": row["question"]}]


def read_rows(file):
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
