"""A page is given what it does not have, and waits while newer data are computed."""

from __future__ import annotations

import asyncio
import json

from ptx.cli.ui import pages
from ptx.cli.ui.builder import parts_of
from ptx.cli.ui.feed import Feed, SweepSource
from ptx.cli.ui.pages import PageData
from ptx.cli.ui.watch import Watch
from tests.ptx.cli.ui.conftest import fail


class Here:
    """A builder in this process that counts its builds."""

    def __init__(self, delay=0.0):
        self.builds, self.delay = 0, delay

    async def build(self, folders):
        self.builds += 1
        await asyncio.sleep(self.delay)
        return parts_of(folders)[0], 0.0


def page_of(root, builder):
    return PageData([Feed(SweepSource("first", Watch(root / "runs" / "first")))], builder)


def test_only_parts_that_a_page_does_not_have_are_sent_and_nothing_is_computed_twice(root):
    async def story():
        builder = Here()
        page = page_of(root, builder)
        first = json.loads(await page.changed({}))
        assert first["parts"].keys() == first["digests"].keys()
        assert json.loads(await page.changed(first["digests"]))["parts"] == {}
        assert builder.builds == 1
        fail(root / "runs" / "first" / "dpo")
        second = json.loads(await page.changed(first["digests"]))
        assert "failures" in second["parts"]
        assert "samples" not in second["parts"]
        assert builder.builds == 2
        assert not second["pending"]

    asyncio.run(story())


def test_a_page_is_not_kept_waiting_longer_than_its_patience(root, monkeypatch):
    monkeypatch.setattr(pages, "PATIENCE", 0.01)

    async def story():
        builder = Here(delay=0.2)
        page = page_of(root, builder)
        first = json.loads(await page.changed({}))
        assert (first["pending"], first["parts"]) == (True, {})
        others = await asyncio.gather(page.changed({}), page.changed({}))
        assert all(json.loads(one)["pending"] for one in others)
        await asyncio.sleep(0.4)
        assert json.loads(await page.changed({}))["parts"]
        assert builder.builds == 1

    asyncio.run(story())
