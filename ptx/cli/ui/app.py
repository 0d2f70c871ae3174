"""The ASGI application: two pages, their data, the stream of what changes, and two buttons.

Every address in the pages is relative, so the application works behind ``ssh -L`` and behind a proxy that
gives it another path. Starlette does the HTTP; server-sent events are a few lines of text.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ptx.cli.ui.access import Guard, Rules
from ptx.cli.ui.actions import ActionError, Again, interrupt
from ptx.cli.ui.builder import Builder
from ptx.cli.ui.feed import Feed, SweepSource
from ptx.cli.ui.listing import Sweeps
from ptx.cli.ui.pages import PageData
from ptx.cli.ui.shell import list_page, sweep_page
from ptx.cli.ui.watch import Watch
from ptx.report.building import encodable

MOST_COMPARED, MOST_KEPT = 8, 6
BEAT = 15.0  # seconds after which a silent stream says that it is still there
LONGEST_TRACEBACK = 60_000


class Ui:
    """What the pages ask for; ``stopping`` says when the server ends."""

    def __init__(
        self,
        root: Path,
        rules: Rules,
        timed: frozenset[str] = frozenset(),
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.root, self.rules, self.timed, self.stopping = root, rules, timed, stopping
        self.sweeps = Sweeps(root, timed)
        self.list = Feed(self.sweeps)
        self.feeds: dict[str, Feed] = {}
        self.pages: dict[tuple[str, ...], PageData] = {}
        self.again, self.builder = Again(), Builder()

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self.home),
            Route("/sweep", self.sweep),
            Route("/events", self.events),
            Route("/data", self.data),
            Route("/failure", self.failure),
            Route("/interrupt", self.interrupt, methods=["POST"]),
            Route("/retry", self.retry, methods=["POST"]),
        ]
        guard, small = Middleware(Guard, rules=self.rules), Middleware(GZipMiddleware, minimum_size=2000)
        return Starlette(routes=routes, middleware=[guard, small])

    async def home(self, request: Request) -> Response:
        """The list of sweeps."""
        return HTMLResponse(list_page(self.root.resolve().name, trusted=self.rules.trusts(request)))

    async def sweep(self, request: Request) -> Response:
        """The page of one sweep, or of several."""
        names = await self._names(request)
        title = names[0] if len(names) == 1 else f"{len(names)} sweeps: {', '.join(names)}"
        page = await run_in_threadpool(sweep_page, title, trusted=self.rules.trusts(request))
        return HTMLResponse(page)

    async def data(self, request: Request) -> Response:
        """The parts of the page's data that a page does not have."""
        names = await self._names(request)
        for name in names:
            await self._feed(name)
        key = tuple(names)
        if key not in self.pages:
            _forget(self.pages)
            self.pages[key] = PageData([self.feeds[name] for name in names], self.builder)
        try:
            have = json.loads(request.query_params.get("have") or "{}")
        except ValueError:
            have = {}
        text = await self.pages[key].changed(have if isinstance(have, dict) else {})
        return Response(text, media_type="application/json")

    async def failure(self, request: Request) -> Response:
        """Why a run has failed, with its traceback."""
        name = (await self._names(request))[0]
        feed = await self._feed(name)
        assert isinstance(feed.source, SweepSource)
        record = feed.source.watch.records.runs.get(request.query_params.get("run", ""))
        if record is None:
            raise HTTPException(404, "no such run")
        error = record.result.get("error")
        found = error if isinstance(error, dict) else {}
        told = {
            part: str(found.get(part, ""))[-LONGEST_TRACEBACK:] for part in ("type", "message", "traceback")
        }
        return JSONResponse(told | {"problems": record.problems[:20], "folder": str(record.folder)})

    async def interrupt(self, request: Request) -> Response:
        """Interrupt a sweep."""
        feed = await self._feed((await self._names(request))[0])
        assert isinstance(feed.source, SweepSource)
        folder = feed.source.watch.folder
        return await _done(feed, lambda: interrupt(folder))

    async def retry(self, request: Request) -> Response:
        """Run the command of a sweep again."""
        feed = await self._feed((await self._names(request))[0])
        assert isinstance(feed.source, SweepSource)
        watch = feed.source.watch
        return await _done(feed, lambda: self.again.start(watch))

    async def events(self, request: Request) -> Response:
        """The stream of what changes: of the list, or of some sweeps."""
        names = await self._names(request) if "s" in request.query_params else []
        feeds = [await self._feed(name) for name in names] or [self.list]
        head = {"x-accel-buffering": "no"}
        return StreamingResponse(self._stream(feeds), media_type="text/event-stream", headers=head)

    async def _stream(self, feeds: list[Feed]) -> AsyncIterator[str]:
        joined = [(feed, await feed.join()) for feed in feeds]
        last = time.monotonic()
        try:
            yield "retry: 2000\n\n"
            while not self.stopping():
                for _, queue in joined:
                    while not queue.empty():
                        news = queue.get_nowait()
                        if news is None:  # this page was too slow: it comes again, and gets everything
                            return
                        yield f"data: {_line(news)}\n\n"
                        last = time.monotonic()
                if time.monotonic() - last > BEAT:
                    last = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(0.1)
        finally:
            for feed, queue in joined:
                feed.leave(queue)

    async def _names(self, request: Request) -> list[str]:
        """The sweeps that an address names.

        Raises:
            HTTPException: there is none of that name.
        """
        names = list(dict.fromkeys(request.query_params.getlist("s")))[:MOST_COMPARED]
        for name in names or [""]:
            if await run_in_threadpool(self.sweeps.find, name) is None and name not in self.feeds:
                raise HTTPException(404, f"no sweep {name!r:.200} below {self.root}")
        return names

    async def _feed(self, name: str) -> Feed:
        if name not in self.feeds:
            _forget(self.feeds)
            folder = self.sweeps.find(name)
            assert folder is not None
            self.feeds[name] = Feed(
                SweepSource(name, Watch(folder, self.timed), lambda: self.again.outcome(folder))
            )
        feed = self.feeds[name]
        feed.used = time.monotonic()
        if not feed.pages:
            assert isinstance(feed.source, SweepSource)
            await feed.ask(feed.source.watch.look)
        return feed


def _line(news: dict[str, Any]) -> str:
    return encodable(json.dumps(news, separators=(",", ":"), allow_nan=False, ensure_ascii=False))


def _forget(kept: dict[Any, Any]) -> None:
    """Make room for one more: what was not used for the longest time goes, unless a page follows it."""
    idle = sorted((one.used, key) for key, one in kept.items() if not getattr(one, "pages", None))
    for _, key in idle[: max(0, len(kept) - MOST_KEPT + 1)]:
        del kept[key]


async def _done(feed: Feed, action: Callable[[], str]) -> Response:
    try:
        said = await feed.ask(action)
    except ActionError as error:
        return JSONResponse({"said": str(error)}, 409)
    return JSONResponse({"said": said})
