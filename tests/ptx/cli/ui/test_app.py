"""The application through its addresses: pages, data, the stream, failures, buttons."""

from __future__ import annotations

import json
import shutil
import urllib.request
from urllib.error import HTTPError

import pytest
from starlette.testclient import TestClient

from ptx.cli.ui.access import Rules
from ptx.cli.ui.app import MOST_KEPT, Ui
from ptx.files import write_json
from ptx.store.locks import held
from tests.ptx.cli.ui.conftest import TOKEN, begin, fail, finish, log, serving


@pytest.fixture
def client(root):
    ui = Ui(root, Rules(TOKEN, private=False))
    with TestClient(ui.app(), base_url="http://localhost:8765") as made:
        yield made
    ui.builder.close()


def pressed(client, what, sweep="first"):
    headers = {"origin": "http://localhost:8765", "x-ptx-button": what, "authorization": f"Bearer {TOKEN}"}
    return client.post(f"/{what}?s={sweep}", headers=headers)


def test_the_pages_have_relative_addresses_only_and_keep_the_policy(client):
    for address in ("/", "/sweep?s=first", "/sweep?s=first&s=first"):
        page = client.get(address)
        assert page.status_code == 200
        outside = page.text.partition("<script")[0] + page.text.rpartition("</script>")[2]
        assert 'href="/' not in outside
        assert "http" not in outside.replace("http-equiv", "")
        assert "connect-src 'self'" in page.text
        assert "unsafe-inline' " not in page.text.partition("script-src")[2].partition(";")[0]


def test_the_page_says_whether_it_has_buttons(client):
    assert 'data-trusted="no"' in client.get("/").text
    client.get(f"/?token={TOKEN}")
    for address in ("/", "/sweep?s=first"):
        assert 'data-trusted="yes"' in client.get(address).text


def test_the_data_come_once_and_then_only_what_differs(client, root):
    first = client.get("/data?s=first").json()
    assert first["parts"]["sentence"]
    have = json.dumps(first["digests"])
    assert client.get("/data", params={"s": "first", "have": have}).json()["parts"] == {}
    for odd in ("", "[]", "7", "{", "null"):
        assert client.get("/data", params={"s": "first", "have": odd}).json()["parts"]
    shutil.rmtree(root / "runs" / "first")
    assert "no folder" in client.get("/data", params={"s": "first", "have": have}).json()["parts"]["problem"]


@pytest.mark.parametrize("name", ["nothing", "..", "../first", "/etc", "", "%2e%2e", "a\0b", "<script>"])
def test_only_sweeps_below_the_folder_are_shown(client, name):
    for address in ("/sweep", "/data", "/events", "/failure"):
        answer = client.get(address, params={"s": name})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/plain")


def test_a_failure_is_shown_with_its_traceback(client, root):
    fail(root / "runs" / "first" / "dpo", traceback="Traceback: <script>")
    found = client.get("/failure", params={"s": "first", "run": "dpo"})
    assert found.json()["traceback"] == "Traceback: <script>"
    assert found.headers["content-type"] == "application/json"
    for run in ("nothing", "../../x", ""):
        assert client.get("/failure", params={"s": "first", "run": run}).status_code == 404


def test_buttons_say_what_they_did_or_why_not(client, root):
    assert pressed(client, "interrupt").json()["said"] == "no process on this machine executes this sweep"
    folder = root / "runs" / "first"
    write_json(folder / "sweep.json", {"runs": ["dpo"], "command": "rm -rf /"})
    answer = pressed(client, "retry")
    assert (answer.status_code, "names no command" in answer.json()["said"]) == (409, True)
    with held(folder / "sweep.lock"):
        assert "already" in pressed(client, "retry").json()["said"]
    assert client.post("/retry?s=first").status_code == 403
    assert client.get("/retry?s=first").status_code == 405


def test_of_many_sweeps_only_the_last_ones_are_kept_in_memory(root):
    for number in range(MOST_KEPT + 4):
        finish(root / "runs" / f"n{number}" / "base")
    ui = Ui(root, Rules(TOKEN, private=False))
    with TestClient(ui.app(), base_url="http://localhost") as client:
        for number in range(MOST_KEPT + 4):
            client.get("/failure", params={"s": f"n{number}", "run": "base"})
    assert len(ui.feeds) == MOST_KEPT


def heard(lines):
    """The next message of a stream."""
    for line in lines:
        if line.startswith(b"data: "):
            return json.loads(line[6:])
    return None


def test_the_stream_tells_a_run_from_its_first_step_to_its_end(root):
    folder = root / "runs" / "first"
    with serving(root) as address, held(folder / "sweep.lock"):
        stream = urllib.request.urlopen(f"{address}events?s=first")
        assert stream.headers["content-type"].startswith("text/event-stream")
        everything = heard(stream)
        assert everything["all"]
        assert everything["live"]["running"][0]["run"] == "dpo"
        log(folder / "dpo", "log", label="dpo", step=1, total=4, metrics={"loss": 0.7})
        news = heard(stream)
        assert news["points"] == {"dpo": ["dpo", {"loss": [[1.0, 0.7]]}]}
        assert sorted(news["live"]) in (["running"], ["rest", "running"])
        finish_dpo(folder)
        news = heard(stream)
        assert news["live"]["counts"]["done"] == 3
        assert "version" in news["live"]
        begin(folder / "kto")
        assert "running" in heard(stream)["live"]
        stream.close()


def finish_dpo(folder):
    write_json(folder / "dpo" / "result.json", {"status": "done", "metrics": []})


def test_the_list_is_a_stream_too_and_open_streams_do_not_keep_the_server_from_ending(root):
    with serving(root) as address:
        stream = urllib.request.urlopen(f"{address}events")
        assert list(heard(stream)["sweeps"]) == ["first"]
        finish(root / "runs" / "second" / "base")
        assert list(heard(stream)["sweeps"]) == ["second"]
    assert heard(stream) is None


def test_a_private_server_tells_nothing_without_the_token(root):
    with serving(root, private=True) as address:
        for page in ("", "sweep?s=first", "events", "data?s=first", "nothing"):
            with pytest.raises(HTTPError, match="401"):
                urllib.request.urlopen(f"{address}{page}")
        request = urllib.request.Request(f"{address}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert urllib.request.urlopen(request).status == 200
