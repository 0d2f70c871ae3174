"""Sections of plugins: in their order, and without those of a plugin that fails."""

from __future__ import annotations

from ptx import hookimpl
from ptx.cli.sections import sections_of


class Adds:
    @hookimpl
    def ptx_report(self, records, folder):
        return [f"<p>{len(records)} runs</p>", "<p>more</p>"]


class Fails:
    @hookimpl
    def ptx_report(self, records, folder):
        raise ValueError("no judge")


def test_a_plugin_that_fails_takes_only_its_own_section_away_and_is_named(host_with, monkeypatch, tmp_path):
    host, said = host_with(adds=Adds(), fails=Fails()), []
    monkeypatch.setattr("ptx.cli.sections.get_host", lambda: host)
    assert sections_of([None, None], tmp_path, said.append) == ["<p>2 runs</p>", "<p>more</p>"]
    assert len(said) == 1
    assert said[0].startswith("without the section of fails: ")
    assert "ValueError: no judge" in said[0]
