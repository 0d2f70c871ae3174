"""The page's data, computed from records in whatever state they are, in a process of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from ptx import hookimpl
from ptx.cli.ui.builder import Builder, parts_of
from ptx.files import write_json
from tests.ptx.cli.ui.conftest import fail, finish
from tests.ptx.report.hostile import STRINGS, write_hostile


def value(parts, name):
    return json.loads(parts[name][1])


def test_the_data_are_those_of_the_report_with_the_names_of_the_rows(root):
    parts, runs = parts_of([root / "runs" / "first"])
    assert runs == 4
    assert value(parts, "problem") == ""
    assert value(parts, "ids")[:2] == ["s/base", "s/sft"]
    assert value(parts, "rows")["base"] == [0]
    assert "baseline" in value(parts, "legend")


def test_sections_of_plugins_come_with_the_data_and_one_that_fails_takes_only_its_own(
    root, host_with, monkeypatch
):
    class Adds:
        @hookimpl
        def ptx_report(self, records, folder):
            (folder / "beside.txt").write_text("x")
            return [f"<h2>Mine</h2><p>{len(records)} runs</p>"]

    class Fails:
        @hookimpl
        def ptx_report(self, records, folder):
            raise ValueError("no")

    host = host_with(adds=Adds(), fails=Fails())
    monkeypatch.setattr("ptx.cli.sections.get_host", lambda: host)
    parts, _ = parts_of([root / "runs" / "first"])
    assert "<h2>Mine</h2><p>4 runs</p>" in value(parts, "sections")
    assert value(parts, "problem") == ""


def test_what_has_not_changed_has_the_same_digest(root):
    before, _ = parts_of([root / "runs" / "first"])
    fail(root / "runs" / "first" / "dpo")
    after, _ = parts_of([root / "runs" / "first"])
    same = {name for name in before if before[name][0] == after[name][0]}
    assert {"metrics", "samples", "settings", "sentence", "cards"} <= same
    assert {"failures", "rows"}.isdisjoint(same)


def test_two_sweeps_are_compared_as_one_page(root):
    finish(root / "runs" / "second" / "base", 0.4, sweep="t")
    finish(root / "runs" / "second" / "grpo", 0.9, sweep="t")
    parts, runs = parts_of([root / "runs" / "first", root / "runs" / "second"])
    assert runs == 6
    assert "t/grpo" in value(parts, "ids")


@pytest.mark.parametrize("what", ["nothing", "empty", "deleted", "odd"])
def test_what_cannot_be_drawn_is_a_problem_in_words(tmp_path, what, monkeypatch):
    folder = tmp_path / "s"
    if what != "deleted":
        folder.mkdir()
    if what == "empty":
        write_json(folder / "sweep.json", {"runs": []})
    if what == "odd":
        finish(folder / "base")
        monkeypatch.setattr("ptx.cli.ui.builder.findings_of", lambda _: {}["gone"])
    parts, _ = parts_of([folder])
    assert list(parts) == ["problem"]
    assert value(parts, "problem")


def test_hostile_strings_are_json_that_cannot_end_a_script(tmp_path):
    write_hostile(tmp_path / "s", STRINGS[:40])
    parts, _ = parts_of([tmp_path / "s"])
    for _, text in parts.values():
        assert "<" not in text
        text.encode()


def test_a_process_computes_it_again_and_again_and_survives_its_own_death(root):
    async def story():
        builder = Builder()
        first, seconds = await builder.build([root / "runs" / "first"])
        assert value(first, "problem") == ""
        assert seconds > 0
        builder._process.kill()
        await builder._process.wait()
        second, _ = await builder.build([root / "runs" / "first"])
        assert first == second
        going = asyncio.create_task(builder.build([root / "runs" / "first"]))
        await asyncio.sleep(0)
        builder._process.kill()
        died = (await going)[0]
        assert value(died, "problem") in ("", "the page's data could not be computed: their process has died")
        builder.close()
        await builder._process.wait()

    asyncio.run(story())
