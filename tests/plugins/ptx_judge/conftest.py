"""A scripted chat-completions server, and judges and a runtime that need no model."""

import json
import threading
import time
import types
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import ptx_judge
from ptx import Choice, ModelRef, RunConfig, Runtime, Score, Scorer, hookimpl, setting
from ptx.hooks.host import get_host
from ptx.store.store import Store
from ptx_judge import Judge
from ptx_judge.ledger import Check, keep


class Server(ThreadingHTTPServer):
    """Answers POST /v1/chat/completions.

    ``script`` names the handler's method for each of the first requests; all later ones succeed. ``judge``
    makes the reply from the request's messages. Every question is billed once: a request with a known
    Idempotency-Key gets the earlier reply, as on servers with that header.
    """

    daemon_threads = True

    def __init__(self, judge=lambda messages: "[[A]]", script=(), delay=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.judge, self.script, self.delay = judge, list(script), delay
        self.requests, self.billed, self.headers, self.busy, self.most_busy = [], Counter(), [], 0, 0
        self.made, self.guard = {}, threading.Lock()

    def handle_error(self, request, client_address):
        """Print nothing about a client that was killed."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.guard:
            self.server.requests.append(body)
            self.server.headers.append({name.lower(): text for name, text in self.headers.items()})
            step = self.server.script.pop(0) if self.server.script else "well"
            self.server.busy += 1
            self.server.most_busy = max(self.server.most_busy, self.server.busy)
        try:
            time.sleep(self.server.delay)
            getattr(self, step)(body)
        finally:
            with self.server.guard:
                self.server.busy -= 1

    def well(self, body):
        key = self.headers["Idempotency-Key"]
        with self.server.guard:
            if key not in self.server.made:
                self.server.made[key] = self.server.judge(body["messages"])
                self.server.billed[json.dumps(body["messages"])] += 1
            said = self.server.made[key]
        message = {"role": "assistant", "content": said}
        self.send(
            200,
            {
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"total_tokens": 10},
            },
        )

    def limit(self, body):
        self.send(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0.05"})

    def broken(self, body):
        self.send(500, {"error": {"message": "oops"}})

    def refused(self, body):
        self.send(400, {"error": {"message": "the content filter says no"}})

    def closed(self, body):
        self.send(401, {"error": {"message": "no such key"}})

    def cut(self, body):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"mess')
        self.wfile.flush()
        self.close_connection = True

    def hang(self, body):
        time.sleep(1.0)
        self.close_connection = True

    def elsewhere(self, body):
        self.send(307, "", Location=self.server.elsewhere)

    def nonsense(self, body):
        self.send(200, {"hello": "world"})

    def page(self, body):
        self.send(200, "<html>It works!</html>", kind="text/html")

    def send(self, status, value, kind="application/json", **headers):
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        for name, text in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def check_of(scorer, kappa, margin=0.0):
    keep(
        "it",
        scorer,
        Check("it", kappa, kappa - 0.05, kappa + 0.05, 0.9, 999, 0, 0.9, margin, "people.json", ""),
    )


@dataclass
class Canned(Runtime):
    manner: str = setting("", "what stands before every answer")


@dataclass
class Packaged(Canned):
    exports = True


@dataclass
class Shorter(Scorer):
    """A judge of another plugin, which scores single answers."""


@dataclass
class Moody(Scorer):
    """A judge that compares and prefers the longer answer.

    Its reply about "odd" cannot be parsed, and on "seat" it prefers whichever answer comes first.
    """

    compare: bool = setting(False, "compare")

    def comparing(self):
        return Moody(compare=True)


class Letters:
    chat_template = None

    def __call__(self, text, **_):
        return {"input_ids": list(text)}


class Answerer:
    max_length, emulated, tokenizer = 263, "", Letters()

    def __init__(self, answers, manner, log):
        self.answers, self.manner, self.log = answers, manner, log

    def generate(self, prompts, max_new_tokens, *, stop=(), temperature=0.0, seed=0):
        self.log.append(f"generate {self.answers.get('name')}")
        return [self.manner + self.answers.get(prompt, "I do not know") for prompt in prompts]

    def close(self):
        self.log.append(f"close {self.answers.get('name')}")


class Plugin:
    __name__ = "canned"

    def __init__(self):
        self.log = []

    @hookimpl
    def ptx_choices(self):
        return [
            Choice("runtime", "canned", Canned),
            Choice("runtime", "packaged", Packaged),
            Choice("scorer", "shorter", Shorter),
            Choice("scorer", "moody", Moody),
        ]

    @hookimpl
    def ptx_export(self, run, runtime, model):
        self.log.append("export")
        folder = run.folder / "package"
        folder.mkdir()
        answers = json.loads((model.path / "answers.json").read_text())
        (folder / "answers.json").write_text(json.dumps({**answers, "name": "package"}))
        return ModelRef.of(folder, "package")

    @hookimpl
    def ptx_load(self, runtime, model):
        assert model.kind == ("package" if runtime.exports else "full")
        return Answerer(json.loads((model.path / "answers.json").read_text()), runtime.manner, self.log)

    @hookimpl
    def ptx_score(self, scorer, prompts, completions, references):
        if isinstance(scorer, Shorter):
            return [-float(len(text)) for text in completions]
        if isinstance(scorer, Moody):
            self.log.append(f"asked {len(prompts)}")
            rows = zip(prompts, completions, references, strict=True)
            if not scorer.compare:
                return [
                    Score(float("nan"), "unparsable", "hm") if "odd" in prompt else 5.0 + len(text) % 3
                    for prompt, text, _ in rows
                ]
            return [self.prefer(*row) for row in rows]
        return None

    def prefer(self, prompt, one, other):
        if "odd" in prompt and one.startswith("bb"):
            return Score(float("nan"), "unparsable", "I like both.")
        return Score(
            1.0 if "seat" in prompt or len(one) > len(other) else 0.0, "ok", f"between {one} and {other}"
        )


QUESTIONS = [
    {"prompt": "longer?", "answer": "bb", "category": "x"},
    {"prompt": "shorter?", "answer": "bbbb", "category": "x"},
    {"prompt": "seat?", "category": "y"},
    {"prompt": "odd?", "category": "y"},
    {"prompt": "same?", "category": "y"},
]
BASE = {"name": "base", "longer?": "a", "shorter?": "aaaaaa", "seat?": "aa", "odd?": "a", "same?": "cc"}
TUNED = {"name": "tuned", "longer?": "bb", "shorter?": "bbb", "seat?": "bb", "odd?": "bbb", "same?": "cc"}


@pytest.fixture
def scene(tmp_path, make_run):
    """A base and a tuned model, questions, and ``judged(scorer, ...)``, which evaluates the tuned one."""
    made = types.SimpleNamespace(
        plugin=Plugin(), answers_of_tuned=TUNED, checked=check_of, store=Store(tmp_path / "store"), count=0
    )
    for name, answers in (("base", BASE), ("tuned", TUNED)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "answers.json").write_text(json.dumps(answers))
        setattr(made, name, ModelRef.of(tmp_path / name))
    made.questions = tmp_path / "questions.jsonl"
    made.questions.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))

    def judged(scorer, runtime=None, model=None, **settings):
        made.count += 1
        config = RunConfig(runtime=runtime or Canned(), scorer={"it": scorer})
        run = make_run(config, [ptx_judge, made.plugin], name=f"step{made.count}").at(store=made.store)
        evaluator = Judge(**{"tasks": [str(made.questions)], "scorer": "it", **settings})
        model = model or made.tuned
        lm = run.host.first("ptx_load", runtime=run.config.runtime, model=model, device="cpu")
        made.said, made.run = run.console.lines, run
        found = run.host.first(
            "ptx_evaluate", run=run, evaluator=evaluator, model=model, lm=lm, baseline=made.base
        )
        made.rows = {row["prompt"]: row for row in found.rows}
        return {(metric.name, metric.segment): metric for metric in found.metrics}

    made.judged = judged
    made.Moody, made.Shorter, made.Canned, made.Packaged = Moody, Shorter, Canned, Packaged
    return made


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Journals and checks of one test only."""
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def serve():
    """``serve(judge=..., script=[...])``: a server on a free port."""
    running = []

    def start(**settings):
        server = Server(**settings)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def judging(make_run):
    """``judging(scorer, judge_plugin...)``: a run whose scorer "it" is that one."""

    def make(scorer=None, *plugins, name="step", **config):
        scorers = {"it": scorer} if scorer is not None else {}
        return make_run(RunConfig(scorer=scorers, **config), [ptx_judge, *plugins], name=name)

    return make


ROWS = [
    {
        "idx": n,
        "instruction": "Say something.",
        "input": "",
        "response1": "one two three",
        "response2": "go on " * 60,
        "annotator1": label,
        "annotator2": label,
    }
    for n, label in enumerate([1] * 12 + [2] * 4 + [0] * 4)
]


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A folder with twenty pairs; the rule judge prefers the first answer, which does not run in circles."""
    folder = tmp_path / "people"
    folder.mkdir()
    rows = [{**row, "response2": row["response1"]} if row["annotator1"] == 0 else row for row in ROWS]
    (folder / "people.json").write_text(json.dumps(rows))
    monkeypatch.chdir(tmp_path)
    get_host.cache_clear()
    return folder


SHORT = (
    "{% block system %}Judge.{% endblock %}{% block user %}{{ question }} {{ answer_a }} or {{ answer_b }}?{%"
    " endblock %}"
)


GRADE = "{% block system %}Judge.{% endblock %}{% block user %}{{ question }} {{ answer }}{% endblock %}"


@pytest.fixture
def rubrics(tmp_path):
    for name, text in (("pair", SHORT), ("grade", GRADE)):
        (tmp_path / f"{name}.jinja").write_text(text)
    return {"pair_rubric": str(tmp_path / "pair.jinja"), "rubric": str(tmp_path / "grade.jinja")}
