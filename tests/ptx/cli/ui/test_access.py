"""Who may read, and who may press a button."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ptx.cli.ui.access import Guard, Rules, is_everywhere, is_loopback, names_of

TOKEN = "a token"
OURS = {"origin": "http://localhost:8765", "x-ptx-button": "retry"}


@pytest.fixture
def client():
    """``client(private=True)``: a client of an application behind the rules."""

    def make(**rules):
        async def answer(_):
            return PlainTextResponse("answered")

        routes = [Route("/", answer), Route("/sweep", answer), Route("/retry", answer, methods=["POST"])]
        guard = Middleware(Guard, rules=Rules(TOKEN, **({"private": False} | rules)))
        made = Starlette(routes=routes, middleware=[guard])
        return TestClient(made, base_url="http://localhost:8765", follow_redirects=False)

    return make


@pytest.mark.parametrize(
    "host", ["localhost:9", "127.0.0.1:8765", "[::1]:8765", "10.0.0.7", "LOCALHOST", "gpu7.lab"]
)
def test_addresses_and_given_names_are_answered(client, host):
    assert client(names=names_of(["gpu7.lab"])).get("/", headers={"host": host}).text == "answered"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "[",
        "localhost@evil.example:1x",
    ],
)
def test_a_name_that_may_be_rebound_is_refused_even_with_the_token(client, host):
    answer = client().get("/", headers={"host": host, "authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 421
    assert "--name" in answer.text
    assert client().get(f"/?token={TOKEN}", headers={"host": host}).status_code == 421


def test_reading_on_this_machine_needs_no_token_unless_it_is_private(client):
    assert client().get("/").status_code == 200
    assert client(private=True).get("/").status_code == 401
    assert client(private=True).get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_leaves_the_address_and_becomes_a_cookie_that_scripts_cannot_read(client):
    one = client(private=True)
    answer = one.get(f"/sweep?s=a&token={TOKEN}&s=b+c")
    assert (answer.status_code, answer.headers["location"]) == (303, "sweep?s=a&s=b+c")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]
    assert one.get("/sweep").status_code == 200
    assert client().get(f"/?token={TOKEN}").headers["location"] == "./"
    assert client().get("/?token=wrong").status_code == 401


def test_a_button_needs_the_token_our_origin_and_our_header(client):
    one = client()
    assert one.post("/retry", headers=OURS).status_code == 403  # no token
    one.get(f"/?token={TOKEN}")
    assert one.post("/retry", headers=OURS).text == "answered"
    for wrong in (
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},  # another server of this machine shares the cookies of localhost
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert one.post("/retry", headers=OURS | wrong).status_code == 403, wrong
    assert one.post("/retry", headers={"origin": OURS["origin"]}).status_code == 403
    assert one.post("/retry").status_code == 403


def test_behind_a_proxy_the_origin_has_its_name(client):
    one = client(names=names_of(["hub.lab"]))
    one.get(f"/?token={TOKEN}")
    assert one.post("/retry", headers=OURS | {"origin": "https://hub.lab"}).text == "answered"


def test_another_site_may_open_the_page_but_not_read_it(client):
    other = {"sec-fetch-site": "cross-site"}
    assert client().get("/", headers=other | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert client().get("/", headers=other | {"sec-fetch-mode": "cors"}).status_code == 403
    assert client().get("/", headers=other | {"sec-fetch-mode": "no-cors"}).status_code == 403


def test_every_answer_forbids_frames_guessing_of_types_and_caches(client):
    for answer in (client().get("/"), client().get("/nothing"), client().get("/", headers={"host": "x.y"})):
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_two_servers_on_one_machine_have_different_cookies():
    assert Rules("a", private=False).cookie != Rules("b", private=False).cookie
    assert "a token" not in Rules(TOKEN, private=False).cookie


@pytest.mark.parametrize(
    ("host", "loopback", "everywhere"),
    [
        ("127.0.0.1", True, False),
        ("127.9.9.9", True, False),
        ("::1", True, False),
        ("localhost", True, False),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("10.0.0.1", False, False),
        ("gpu7.lab", False, False),
    ],
)
def test_which_addresses_only_this_machine_can_reach(host, loopback, everywhere):
    assert (is_loopback(host), is_everywhere(host)) == (loopback, everywhere)
