"""Who may read, and who may press a button.

Three attacks are ordinary against servers on loopback, and each has its answer here:

- *DNS rebinding*: a page of evil.example lets its name resolve to 127.0.0.1, and reads as if it were ours.
  So the name in the Host header must be ``localhost``, an address, or one that was given with ``--name``.
- *Cross-site requests*: any page may send a form or a fetch to 127.0.0.1. So a button needs the token, an
  Origin that is ours, and a header that no other site can set without being asked for first. Reading
  answers carry no header that would let another site see them, and a browser's word that the request comes
  from another site (Sec-Fetch-Site) is enough to refuse it.
- *Other people of the machine or network*: on another address than loopback everything needs the token.

The token stands once in the address that the terminal prints. It becomes a cookie that no script can read,
and leaves the address bar.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUTTON = "x-ptx-button"  # a header that a form cannot set
SAFE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Rules:
    """The token, whether reading needs it, and the names under which the server may be asked for."""

    token: str
    private: bool
    names: frozenset[str] = frozenset()

    @property
    def cookie(self) -> str:
        """The cookie's name: two servers on one machine do not overwrite each other's."""
        return f"ptx-ui-{hashlib.sha256(self.token.encode()).hexdigest()[:10]}"

    def knows(self, name: str) -> bool:
        """Whether a host's name is ours: an address cannot be rebound, a name can."""
        return name == "localhost" or name in self.names or is_address(name)

    def trusts(self, request: Request) -> bool:
        """Whether a request carries the token."""
        header = request.headers.get("authorization", "").removeprefix("Bearer ")
        return any(self.right(text) for text in (request.cookies.get(self.cookie, ""), header))

    def right(self, text: str) -> bool:
        """Whether a text is the token; the time of the answer says nothing about it."""
        return hmac.compare_digest(text.encode(errors="replace"), self.token.encode())

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that may not be answered; None if it may."""
        host = request.headers.get("host", "")
        name = _name_of(host)
        if not self.knows(name):
            return _refused(
                421, f"ptx ui does not answer to the name {name!r:.80}; `ptx ui --name HOST` lets it do so"
            )
        navigates = request.headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates:
            return _refused(403, "another site may not read this")
        if self.private and not self.trusts(request):
            return _refused(401, "open the address with the token that `ptx ui` printed in its terminal")
        return None if request.method in ("GET", "HEAD") else self._button(request, host)

    def _button(self, request: Request, host: str) -> Response | None:
        origin = request.headers.get("origin", "")
        netloc = urlsplit(origin).netloc
        if not netloc or (netloc != host and _name_of(netloc) not in self.names):
            return _refused(403, "a button works only on the page of `ptx ui` itself")
        if BUTTON not in request.headers:
            return _refused(403, f"a button sends the header {BUTTON}")
        if not self.trusts(request):
            return _refused(
                403, "buttons need the token: open the address that `ptx ui` printed in its terminal"
            )
        return None


class Guard:
    """The application behind the rules."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {key.lower() for key, _ in message["headers"]}
                more = [(key.encode(), value.encode()) for key, value in SAFE.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in given)]
            await send(message)

        answer = self._welcome(request) or self.rules.refusal(request) or self.app
        await answer(scope, receive, safely)

    def _welcome(self, request: Request) -> Response | None:
        """Take the token out of an address: it becomes a cookie, and the same page without it is opened."""
        given = request.query_params.get("token")
        if given is None or request.method != "GET" or not self.rules.knows(_host(request)):
            return None
        if not self.rules.right(given):
            return _refused(
                401, "this token is not the one that `ptx ui` printed; has it been started again?"
            )
        rest = [(key, value) for key, value in request.query_params.multi_items() if key != "token"]
        page = request.url.path.rpartition("/")[2] or "./"
        answer = RedirectResponse(page + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(self.rules.cookie, given, httponly=True, samesite="lax", path="/")
        return answer


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status)


def _host(request: Request) -> str:
    return _name_of(request.headers.get("host", ""))


def _name_of(netloc: str) -> str:
    """The host of ``host:port``, without brackets, in small letters."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Whether the name of a host is an address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens at ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether a server at ``host`` listens at every address of the machine."""
    return is_address(host) and ipaddress.ip_address(host).is_unspecified


def names_of(given: Iterable[str]) -> frozenset[str]:
    """Names of hosts as a browser sends them."""
    return frozenset(name for one in given if (name := _name_of(one)))
