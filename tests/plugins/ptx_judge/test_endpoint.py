import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import ptx_hf
from ptx import ModelRef, StepError
from ptx.files import read_rows
from ptx.lm.evaluation.orders import both_orders
from ptx_judge import Endpoint, endpoint
from ptx_judge.local import text_for
from ptx_judge.rubric import Request
from ptx_tiny import MODEL_FOLDER


def ask(run, scorer, n=4):
    return run.score(scorer, [f"Number {i}?" for i in range(n)], ["left"] * n, ["right"] * n)


def told(server, **settings):
    fixed = {"key_env": "", "timeout": 60, "retries": 4, "concurrency": 2}
    return Endpoint(base_url=server.url, model="m", compare=True, **{**fixed, **settings})


def test_verdicts_come_back_in_the_order_of_the_questions(serve, judging):
    replies = {"Number 0?": "[[A]]", "Number 1?": "[[B]]", "Number 2?": "[[C]]", "Number 3?": "I like both."}
    server = serve(
        judge=lambda messages: next(
            reply for asked, reply in replies.items() if asked in messages[1]["content"]
        )
    )
    scores = ask(judging(), told(server))
    assert [float(score) for score in scores[:3]] == [1.0, 0.0, 0.5]
    assert scores[3] != scores[3]
    assert (scores[3].status, scores[3].said) == ("unparsable", "I like both.")


@pytest.mark.parametrize("trouble", ["limit", "broken", "cut", "hang", "nonsense", "page"])
def test_a_request_that_fails_is_tried_again(serve, judging, trouble, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.02)
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.02)
    server = serve(script=[trouble, trouble])
    impatient = {"timeout": 0.5} if trouble == "hang" else {}
    assert ask(judging(), told(server, concurrency=1, **impatient), n=1) == [1.0]
    assert len(server.requests) == 3
    assert sum(server.billed.values()) == 1


def test_a_server_that_sends_the_questions_to_another_host_is_refused_and_no_prompt_goes_there(
    serve, judging, monkeypatch
):
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    stranger, server = serve(), serve(script=["elsewhere"] * 9)
    server.elsewhere = f"{stranger.url}/chat/completions"
    with pytest.raises(StepError, match=f"sends its questions on to another host, {stranger.url}"):
        ask(judging(), told(server, key_env="MY_KEY", concurrency=1), n=1)
    assert stranger.requests == []
    assert len(server.requests) == 1, "it is not asked again"


def test_a_redirect_on_the_same_host_is_followed(serve, judging):
    server = serve(script=["elsewhere"])
    server.elsewhere = "/v1/chat/completions"
    assert ask(judging(), told(server), n=1) == [1.0]


def test_a_secret_in_the_arguments_is_sent_and_not_recorded(serve, judging, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-0123456789")
    server, run = serve(), judging()
    ask(run, told(server, args={"user": "${oc.env:MY_KEY}"}), n=1)
    assert server.requests[0]["user"] == "sk-0123456789"
    kept = [file.read_text() for file in endpoint.journal_path(told(server)).parent.iterdir()]
    assert not any("sk-0123456789" in text for text in kept)


def test_the_server_s_retry_after_is_waited_for(serve, judging, monkeypatch):
    waits, sleep = {}, time.sleep
    name = lambda: threading.current_thread().name
    monkeypatch.setattr(
        time, "sleep", lambda seconds: (waits.setdefault(name(), []).append(seconds), sleep(seconds))
    )
    ask(judging(), told(serve(script=["limit"])), n=1)
    waits.pop("ptx-waiting", None)  # who looks whether a plugin takes long
    assert (
        max(wait for own in waits.values() for wait in own) == 0.05
    )  # the client's own first wait would be 0.375 s at least


@pytest.mark.parametrize(
    ("trouble", "times", "said"),
    [
        ("broken", 3, "InternalServerError"),
        ("nonsense", 3, "not a chat completion"),
        ("closed", 1, "no such key"),
    ],
)
def test_what_does_not_pass_is_an_error_and_what_was_answered_is_kept(
    serve, judging, trouble, times, said, monkeypatch
):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)
    server = serve(script=["well", "well", *[trouble] * times])
    scorer = told(server, retries=2, concurrency=1)
    with pytest.raises(StepError, match=said):
        ask(judging(), scorer)
    assert ask(judging(), scorer) == [1.0] * 4
    assert set(server.billed.values()) == {1}


def test_a_question_that_the_server_refuses_is_failed_and_the_others_are_not(serve, judging):
    server = serve(script=["well", "refused"])
    scores = ask(judging(), told(server, concurrency=1))
    assert sorted(score.status for score in scores) == ["failed", "ok", "ok", "ok"]
    assert "content filter" in next(score.said for score in scores if score.status == "failed")


def test_a_server_that_refuses_everything_is_an_error(serve, judging):
    server = serve(script=["refused"] * 4)
    with pytest.raises(StepError, match=r"refuses every question.*content filter"):
        ask(judging(), told(server))


def test_no_more_questions_are_under_way_than_allowed(serve, judging):
    server = serve(delay=0.02)
    ask(judging(), told(server, concurrency=3), n=12)
    assert server.most_busy == 3


def test_the_same_question_is_asked_once_whoever_asks(serve, judging):
    server = serve()
    run, scorer = judging(), told(server)
    ask(run, scorer)
    assert ask(run, scorer) == [1.0] * 4
    run.score(scorer, ["Number 0?"] * 3, ["left"] * 3, ["right"] * 3)
    assert len(server.requests) == 4
    ask(run, told(server, temperature=0.5))
    assert len(server.requests) == 8


def test_a_budget_that_cannot_suffice_is_refused_before_the_first_question(serve, judging):
    server = serve()
    with pytest.raises(StepError, match=r"4 questions are to be asked.*max_requests=3.*allow at least 4"):
        ask(judging(), told(server, max_requests=3))
    assert not server.requests


def test_retries_and_earlier_questions_of_the_sweep_count_against_the_budget(serve, judging, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    server = serve(script=["broken", "broken"])
    scorer = told(server, max_requests=5, concurrency=1)
    with pytest.raises(StepError, match="max_requests=5 is spent"):
        ask(judging(), scorer)
    assert len(server.requests) == 5
    with pytest.raises(StepError, match=r"5 of scorer\.endpoint\.max_requests=5"):
        ask(judging(), scorer)
    assert ask(judging(), told(server, max_requests=6, concurrency=1)) == [1.0] * 4


def test_a_budget_in_tokens_ends_the_asking(serve, judging):
    server = serve()
    with pytest.raises(StepError, match="max_spent_tokens=20 is spent"):
        ask(judging(), told(server, max_spent_tokens=20, concurrency=1), n=6)
    assert len(server.requests) == 2


def test_the_key_is_sent_and_written_nowhere(serve, judging, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    server = serve()
    ask(judging(), told(server, key_env="MY_KEY"))
    assert server.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()
    ]


def test_a_half_written_line_of_the_journal_is_cut_off(serve, judging):
    server = serve()
    scorer = told(server)
    ask(judging(), scorer)
    with endpoint.journal_path(scorer).open("ab") as journal:
        journal.write(b'{"key": "half')
    ask(judging(), scorer, n=5)
    assert len(list(read_rows(endpoint.journal_path(scorer)))) == 5
    assert len(server.requests) == 5


SCRIPT = """
    import sys
    from pathlib import Path
    from ptx import Run, RunConfig
    from ptx.hooks.host import get_host
    from ptx.testing import Silent
    from ptx_judge import Endpoint
    from ptx.lm.evaluation.orders import both_orders

    folder = Path(sys.argv[2])
    run = Run(RunConfig(), get_host(), Silent(), folder, folder / "events.jsonl", folder, 0, "cpu")
    judge = Endpoint(base_url=sys.argv[1], model="m", key_env="", compare=True, concurrency=8)
    questions = [f"Number {i}?" for i in range(500)]
    verdicts = both_orders(run, judge, questions, ["one"] * 500, ["two"] * 500)
    print(len(verdicts), sum(first == 1 and second == 0 for first, second in verdicts))
"""


@pytest.mark.slow
def test_500_comparisons_with_a_kill_in_the_middle_ask_each_question_exactly_once(serve, tmp_path):
    """Both orders make 1,000 questions; the server bills each Idempotency-Key once.

    Without that key the questions that were open at the kill would be billed twice.
    """
    server = serve(delay=0.005)
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), server.url, str(tmp_path)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while sum(server.billed.values()) < 400:
        assert first.poll() is None
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    before = sum(server.billed.values())
    assert 400 <= before < 1000
    second = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert second.stdout.split() == [
        "500",
        "500",
    ]  # the judge always says A: a win first, a loss with the seats changed
    assert len(server.billed) == 1000
    assert set(server.billed.values()) == {1}
    assert len(server.requests) - 1000 <= 8  # only what was under way was sent again


@pytest.fixture(scope="module")
def transformers_server(tmp_path_factory):
    """``transformers serve`` with the embedded model, a process of its own."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = "from transformers.cli.transformers import main; main()"
    log = (tmp_path_factory.mktemp("serve") / "log").open("w")
    command = [
        sys.executable,
        "-c",
        start,
        "serve",
        "--device",
        "cpu",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        str(MODEL_FOLDER),
    ]
    server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 300
    while True:
        assert time.monotonic() < deadline, Path(log.name).read_text()[-2000:]
        assert server.poll() is None, Path(log.name).read_text()[-2000:]
        try:
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"{url}/v1"
    server.terminate()
    server.wait(30)
    log.close()


@pytest.mark.slow
def test_transformers_serve_gives_the_replies_that_the_model_gives(transformers_server, judging, tmp_path):
    """Replies over the real protocol are the embedded model's own, although they hold no verdict."""
    rubric = tmp_path / "plain.jinja"
    rubric.write_text(
        "{% block system %}Answer in one sentence.{% endblock %}{% block user %}{{ question }}{% endblock %}"
    )
    scorer = Endpoint(
        base_url=transformers_server,
        model=str(MODEL_FOLDER),
        key_env="",
        rubric=str(rubric),
        max_tokens=16,
        concurrency=2,
    )
    asked = ["What is 12 + 7?", "Which is larger: 12 or 21?"]
    run = judging(None, ptx_hf)
    scores = run.score(scorer, asked, ["", ""], [None, None])
    lm = run.host.first("ptx_load", runtime=ptx_hf.HF(), model=ModelRef.of(MODEL_FOLDER), device="cpu")
    prompts = [text_for(lm.tokenizer, Request("Answer in one sentence.", question)) for question in asked]
    assert [score.said for score in scores] == lm.generate(prompts, 16)
    assert [score.status for score in scores] == ["unparsable", "unparsable"]
    rows = list(read_rows(endpoint.journal_path(scorer)))
    assert all(row["tokens"] > 10 and row["attempts"] == 1 for row in rows)
    (verdicts,) = both_orders(run, scorer.comparing(), ["2 + 2?"], ["4"], ["5"])
    assert [verdict.status for verdict in verdicts] == ["unparsable", "unparsable"]
    assert len(list(read_rows(endpoint.journal_path(scorer)))) == 4


def test_a_model_that_the_server_does_not_have_is_named(serve, judging):
    server = serve(script=["refused"])
    with pytest.raises(StepError, match="refuses every question"):
        ask(judging(), told(server), n=1)


def test_requests_hold_what_was_set_and_nothing_that_was_taken_out(serve, judging):
    server = serve()
    ask(judging(), told(server, args={"max_tokens": None, "max_completion_tokens": 7}), n=1)
    (body,) = server.requests
    assert body["max_completion_tokens"] == 7
    assert "max_tokens" not in body
    assert json.dumps(body["messages"]).count("Number 0?") == 1
