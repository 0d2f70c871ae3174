"""The hub's section: a server that answers or not, the cache, and keys by name only."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ptx.cli.doctor.hub import look


@pytest.fixture(autouse=True)
def own_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens


@pytest.fixture
def server(monkeypatch):
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as answering:
        threading.Thread(target=answering.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{answering.server_port}")
        yield
        answering.shutdown()


def line_of(about: str):
    return next(line for line in look() if line.about == about)


def test_a_hub_that_answers_is_fine_whatever_it_answers(server):
    assert line_of("network").found.endswith("answers (status 404)")


def test_a_hub_that_does_not_answer_stops_nothing(monkeypatch):
    assert line_of("network").severity == "note"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert line_of("network").severity == "fine"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc/passwd")
    assert line_of("network").severity == "wrong"


def test_the_cache_is_counted(tmp_path):
    blob = tmp_path / "hub" / "models--a--b" / "blobs" / "1"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"x" * 2000)
    assert line_of("hub cache").found.startswith("1 download, 2.00 kB (")


def test_keys_are_named_and_never_shown(monkeypatch):
    monkeypatch.setenv("BOWL_API_KEY", "canary-1234567")
    assert "BOWL_API_KEY" in line_of("keys").found
    assert "canary" not in line_of("keys").found
