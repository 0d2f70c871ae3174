"""The data of the report's page for sweeps that may still run: the parts that a page does not have yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ptx.cli.ui.builder import Builder, Parts
from ptx.cli.ui.feed import Feed, SweepSource
from ptx.cli.ui.watch import Watch
from ptx.report.page.packed import script_json

REST, LONGEST_REST = 3.0, 120.0  # the data are computed for at most a quarter of the time
PATIENCE = 20.0  # seconds; a page that has waited so long asks again


class PageData:
    """The data of one view: of one sweep, or of several that are compared."""

    def __init__(self, feeds: Sequence[Feed], builder: Builder) -> None:
        self.feeds, self.builder = feeds, builder
        self.used = time.monotonic()
        self.parts: Parts = {}
        self._versions: list[int] = []
        self._rest_until = 0.0
        self._task: asyncio.Task[None] | None = None

    async def changed(self, have: dict[str, str]) -> str:
        """JSON of the parts whose digests a page does not have, and of all digests.

        ``pending`` says that newer ones are being computed.
        """
        self.used = time.monotonic()
        await self._look()
        if self._task is None and self._now() != self._versions:
            self._task = asyncio.create_task(self._renew())
        if self._task is not None:
            await asyncio.wait([self._task], timeout=PATIENCE)
        pending = self._task is not None
        news = [(name, text) for name, (digest, text) in self.parts.items() if have.get(name) != digest]
        parts = ",".join(f"{script_json(name)}:{text}" for name, text in news)
        digests = script_json({name: digest for name, (digest, _) in self.parts.items()})
        return f'{{"digests":{digests},"pending":{script_json(pending)},"parts":{{{parts}}}}}'

    @property
    def watches(self) -> list[Watch]:
        """The sweeps of the view."""
        return [feed.source.watch for feed in self.feeds if isinstance(feed.source, SweepSource)]

    def _now(self) -> list[int]:
        return [watch.version for watch in self.watches]

    async def _look(self) -> None:
        for feed, watch in zip(self.feeds, self.watches, strict=True):
            if not feed.pages:  # nobody else keeps it up to date
                await feed.ask(watch.look)

    async def _renew(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._rest_until - time.monotonic()))
            versions = self._now()
            self.parts, seconds = await self.builder.build([watch.folder for watch in self.watches])
            self._versions = versions
            self._rest_until = time.monotonic() + min(REST * seconds, LONGEST_REST)
        finally:
            self._task = None
