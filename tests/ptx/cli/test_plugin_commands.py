"""What the verbs of plugins use: a configuration from words or a record, and a run outside of any sweep."""

from __future__ import annotations

import pytest

from ptx.cli import plugin_commands
from ptx.cli.plugin_commands import Printing, config_of, configured, load_records, running
from ptx.errors import ConfigError


@pytest.fixture(autouse=True)
def host(toy_host, desk, monkeypatch):
    monkeypatch.setattr(plugin_commands, "get_host", lambda: toy_host)
    return toy_host


def test_words_give_the_configuration_that_the_verb_would_run():
    config = configured("train", ["model=./model", "method=toy", "method.rate=0.3", "seed=4"])
    assert (config.method.rate, config.seed) == (0.3, 4)


def test_everything_wrong_with_the_words_is_reported_together():
    with pytest.raises(ConfigError) as caught:
        configured("train", ["method=toi", "runtime=hff"])
    assert "did you mean 'kto' or 'toy'?" in str(caught.value)
    assert "did you mean 'hf'?" in str(caught.value)


def test_a_record_gives_the_configuration_of_its_run(sweep):
    plan, *_ = sweep("method.rate=0.3", "baseline=false")
    (record,) = load_records([plan.folder])
    assert config_of(record) == plan.runs[0].config


def test_a_run_outside_of_any_sweep_has_a_folder_until_its_end(capsys, host):
    config = configured("eval", ["model=./model", "seed=2", "device=cpu"])
    with running(config) as run:
        assert (run.config, run.host, run.seed, run.device) == (config, host, 2, "cpu")
        (run.folder / "file").write_text("here")
        run.say("hello")
        folder = run.folder
    assert not folder.exists()
    assert "hello" in capsys.readouterr().out


def test_its_console_prints_lines_and_no_progress(capsys):
    Printing().progress("toy", {"loss": 1.0}, 1, 2)
    Printing().say("a line")
    assert capsys.readouterr().out == "a line\n"
