"""The live pages in a real browser: what comes while one looks, and what must never happen."""

from __future__ import annotations

import pytest

from ptx.cli.ui.shell import list_page, sweep_page
from ptx.files import read_json, write_json
from ptx.store.locks import held
from tests.ptx.cli.ui.conftest import TOKEN, begin, fail, finish, log, serving
from tests.ptx.report.browser import CHROMIUM, Browser
from tests.ptx.report.hostile import EVERY_OBJECT, STRINGS, write_hostile

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


def outside(page, address):
    """What went wrong: requests to others, errors, broken rules of the policy."""
    return [one for one in page.requests() if not one.startswith(address)] + page.errors()


@in_browser
def test_a_page_follows_a_sweep_from_its_first_step_to_its_end(root, browser):
    folder = root / "runs" / "first"
    with serving(root) as address:
        with held(folder / "sweep.lock"):
            page = browser.open(f"{address}sweep?s=first&token={TOKEN}", choices="#p=%5B1%5D", patience=90)
            page.wait("document.querySelector('.run-card .chain .now')?.textContent.endsWith('dpo')")
            assert "2 of 4 runs done" in page.texts(".live-head")[0]
            assert "token" not in page.run("location.href")
            for step in range(1, 6):
                log(folder / "dpo", "log", label="dpo", step=step, total=9, metrics={"loss": 1 / step})
            page.wait("document.querySelector('.run-curve:not([hidden]) canvas')")
            page.wait("document.querySelector('.numbers').textContent.includes('5 of 9')")
            page.show("#table")
            label = page.texts("#selection")[0]
            begin(folder / "kto")
            fail(folder / "dpo", "no memory")
            finish(folder / "zzz", 0.9)
            planned = ["zzz", *read_json(folder / "sweep.json")["runs"]]
            write_json(folder / "sweep.json", {"name": "s", "runs": planned, "command": "ptx train"})
            page.wait("document.querySelectorAll('#table tbody tr').length === 5", 90)
            assert page.texts("#selection")[0] == label  # the pinned run is the same, at another place
            page.click(".live-more .failure summary")
            page.wait("document.querySelector('.live-more pre')?.textContent.startsWith('Traceback')")
            page.click("[data-act=interrupt]")
            page.wait("document.querySelector('dialog[open]')")
            page.run("document.querySelector('dialog .quiet').click()")
        page.wait("document.querySelector('[data-act=retry]')")
        assert outside(page, address) == []
        page.close()


@in_browser
def test_the_list_is_searched_and_two_sweeps_are_compared_on_one_page(root, browser):
    finish(root / "runs" / "second" / "base", 0.4, sweep="t")
    finish(root / "runs" / "second" / "grpo", 0.9, sweep="t")
    with serving(root) as address:
        page = browser.open(address, width=390, dark=True)
        page.wait("document.querySelectorAll('.sweep-line').length === 2")
        page.type("#search", "sec")
        page.wait("document.querySelectorAll('.sweep-line').length === 1")
        page.run(
            "(() => { const one = document.querySelector('#search'); one.value = '';"
            " one.dispatchEvent(new Event('input')); })()"
        )
        page.wait("document.querySelectorAll('.sweep-line').length === 2")
        page.run("document.querySelectorAll('.sweep-line input').forEach((one) => one.click())")
        assert page.run("document.documentElement.scrollWidth") <= 390
        page.run("document.querySelector('#compare').click()")
        page.wait(
            "document.querySelectorAll('.live-sweep').length === 2 && !document.querySelector('main.empty')",
            90,
        )
        page.wait("document.documentElement.dataset.ready === 'yes'", 90)
        page.show("#table")
        assert len(page.texts("#table tbody tr")) == 5  # the two baselines are one row
        assert page.run("document.documentElement.scrollWidth") <= 390
        assert outside(page, address) == []
        page.close()


@in_browser
def test_hostile_strings_in_every_field_run_nothing_on_the_live_pages(tmp_path, browser):
    folder = tmp_path / "runs" / "hostile"
    strings = [*STRINGS[:: len(STRINGS) // 25], *EVERY_OBJECT]
    write_hostile(folder, strings)
    with serving(tmp_path) as address, held(folder / "sweep.lock"):
        for place, text in enumerate(strings):
            run = begin(folder / f"h{place}", text, label=text, model={"name": text})
            log(run, "log", label=text, step=1, total=2, metrics={text: 1.0, "loss": 2.0}, what=text)
            log(run, "log", label=text, step=2, total=2, metrics={text: 1.0, "loss": 1.0}, what=text)
            log(run, "message", label=text, text=text)
        names = [*read_json(folder / "sweep.json")["runs"], *(f"h{place}" for place in range(len(strings)))]
        write_json(folder / "sweep.json", {"name": strings[0], "runs": names, "command": strings[1]})
        for target, ready in ((f"{address}sweep?s=hostile", ".run-card"), (address, ".sweep-line")):
            page = browser.open(target, width=390, patience=90)
            page.wait(f"document.querySelector('{ready}') && !document.querySelector('main.empty')")
            page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            page.wait("!document.querySelector('.failure[open]') || document.querySelector('.failure pre')")
            assert (
                page.run("document.querySelectorAll('main script, iframe, main [onerror], main img').length")
                == 0
            )
            assert page.run("document.documentElement.scrollWidth") <= 390
            assert outside(page, address) == []
            page.close()


@in_browser
def test_a_server_that_was_killed_and_started_again_is_found_by_the_open_page(root, browser, monkeypatch):
    from ptx.cli import ui

    with serving(root) as address:
        page = browser.open(f"{address}sweep?s=first", patience=90)
        page.wait("document.querySelector('.link-state').dataset.state === 'live'")
    page.wait("document.querySelector('.link-state').dataset.state === 'lost'")
    port = int(address.rpartition(":")[2].strip("/"))
    listen = ui._listen
    monkeypatch.setattr(ui, "_listen", lambda host, _: listen(host, port))
    with serving(root):
        fail(root / "runs" / "first" / "dpo")
        page.wait("document.querySelector('.link-state').dataset.state === 'live'")
        page.wait("document.querySelector('.live-head').textContent.includes('1 failed')")
        page.close()


@pytest.mark.parametrize("make", [list_page, sweep_page])
def test_a_title_is_escaped(make):
    page = make("</title><script>alert(1)</script>", trusted=False)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
