"""A chat-completions server of the tests' own, which behaves as it is told, and judges that need no model."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import ptx_judge
from ptx import RunConfig


class Server(ThreadingHTTPServer):
    """Answers POST /v1/chat/completions. ``script`` says what becomes of the first requests; afterwards
    everything is well.

    ``judge`` makes the reply of the request's messages. Every question is billed once: a request with a known
    Idempotency-Key gets the reply that was made for it, as servers with that header do.
    """

    daemon_threads = True

    def __init__(self, judge=lambda messages: "[[A]]", script=(), delay=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.judge, self.script, self.delay = judge, list(script), delay
        self.requests, self.billed, self.headers, self.busy, self.most_busy = [], Counter(), [], 0, 0
        self.made, self.guard = {}, threading.Lock()

    def handle_error(self, request, client_address):
        """A client that was killed is no news."""

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
