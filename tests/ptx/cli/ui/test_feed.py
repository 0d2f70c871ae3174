"""What is sent to pages: everything first, then what differs, and nothing to those that do not read."""

from __future__ import annotations

import asyncio

from ptx.cli.ui import feed as feeds
from ptx.cli.ui.feed import Feed, SweepSource
from ptx.cli.ui.watch import Watch
from tests.ptx.cli.ui.conftest import fail


class Counter:
    """A source that changes at every look."""

    def __init__(self):
        self.looks = 0

    def look(self):
        self.looks += 1

    def everything(self):
        return {"all": self.looks}

    def news(self):
        return {"news": self.looks}


def test_a_page_gets_everything_and_then_what_differs(root):
    source = SweepSource("first", Watch(root / "runs" / "first"))
    source.look()
    assert source.everything()["live"]["counts"]["runs"] == 4
    assert source.news()["live"]["counts"]["runs"] == 4  # the first time all of it is new
    assert source.news() == {}
    fail(root / "runs" / "first" / "dpo")
    source.look()
    assert sorted(source.news()["live"]) == ["counts", "failed", "version"]


def test_two_pages_share_one_reader_which_rests_when_nobody_looks(monkeypatch):
    monkeypatch.setattr(feeds, "SECONDS", 0.01)

    async def story():
        feed = Feed(Counter())
        one, two = await feed.join(), await feed.join()
        assert "all" in await one.get()
        assert "all" in await two.get()
        assert await one.get() == await two.get()
        feed.leave(one)
        feed.leave(two)
        await asyncio.sleep(0.1)
        looks = feed.source.looks
        await asyncio.sleep(0.1)
        assert feed.source.looks == looks
        again = await feed.join()
        assert (await again.get())["all"] > looks

    asyncio.run(story())


def test_a_page_that_does_not_read_is_sent_away_and_fills_no_memory(monkeypatch):
    monkeypatch.setattr(feeds, "SECONDS", 0.001)
    monkeypatch.setattr(feeds, "MOST_WAITING", 5)

    async def story():
        feed = Feed(Counter())
        queue = await feed.join()
        while feed.pages:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        assert [queue.get_nowait() for _ in range(queue.qsize())] == [None]

    asyncio.run(story())
