"""What is sent to open pages: one watcher per sweep, however many pages show it, and only what has changed.

A page gets everything when it comes, and later the parts that differ. A page that does not read is dropped
and asks again; so no page can fill the memory. What is read is read in a thread, so that a slow file system
delays no other page, and rests for ten times as long as it took.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from ptx.cli.ui.watch import Watch

SECONDS, REST, MOST_WAITING = 1.0, 10.0, 200


class Source(Protocol):
    """Something that is looked at again and again."""

    def look(self) -> None:
        """Read what has changed."""

    def everything(self) -> dict[str, Any]:
        """What a page needs that has just come."""

    def news(self) -> dict[str, Any]:
        """What has changed since the last call; empty if nothing has."""


class SweepSource:
    """A sweep as a source: its state part by part, and the points of its curves."""

    def __init__(self, name: str, watch: Watch, started: Callable[[], dict[str, Any]] = dict) -> None:
        self.name, self.watch, self.started = name, watch, started
        self._sent: dict[str, Any] = {}

    def shown(self) -> dict[str, Any]:
        """The state, and how a command stands that a button has started."""
        return self.watch.shown() | {"started": self.started()}

    def look(self) -> None:
        """Read what has changed."""
        self.watch.look()

    def everything(self) -> dict[str, Any]:
        """The whole state, and all points."""
        return {
            "sweep": self.name,
            "live": self.watch.shown(),
            "points": self.watch.all_points(),
            "all": True,
        }

    def news(self) -> dict[str, Any]:
        """The parts of the state that differ, and the new points."""
        now, points = self.shown(), self.watch.points()
        changed = {key: value for key, value in now.items() if self._sent.get(key) != value}
        self._sent = now
        return {"sweep": self.name, "live": changed, "points": points} if changed or points else {}


class Feed:
    """One source with the pages that follow it; it is read while there are any."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.used = time.monotonic()
        self.pages: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def join(self) -> asyncio.Queue[dict[str, Any] | None]:
        """A queue that begins with everything; None in it says that the page must come again."""
        async with self._lock:
            if not self.pages:
                await asyncio.to_thread(self.source.look)
                self.source.news()
            queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(MOST_WAITING)
            queue.put_nowait(self.source.everything())
            self.pages.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())
        return queue

    def leave(self, queue: asyncio.Queue[dict[str, Any] | None]) -> None:
        """Forget a page."""
        self.pages.discard(queue)
        self.used = time.monotonic()

    async def ask(self, question: Callable[[], Any]) -> Any:
        """The answer of a question about the source, in a thread, while nothing else reads it."""
        async with self._lock:
            self.used = time.monotonic()
            return await asyncio.to_thread(question)

    async def _follow(self) -> None:
        while self.pages:
            began = time.monotonic()
            async with self._lock:
                await asyncio.to_thread(self.source.look)
                news = self.source.news()
            if news:
                self._send(news)
            await asyncio.sleep(max(SECONDS, REST * (time.monotonic() - began)))

    def _send(self, news: dict[str, Any]) -> None:
        for queue in list(self.pages):
            with suppress(asyncio.QueueFull):
                queue.put_nowait(news)
                continue
            self.pages.discard(queue)
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)
