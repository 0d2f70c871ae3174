"""Groups in Hydra: choices of plugins, YAML of plugins and of the user."""

import pytest

from ptx import ConfigError, hookimpl
from ptx.compose.groups import hydra, known, options, read_group


@pytest.fixture
def write(desk):
    def write(path, text):
        (desk / path).parent.mkdir(parents=True, exist_ok=True)
        (desk / path).write_text(text)

    return write


def test_a_group_offers_choices_of_plugins_and_presets_of_the_user(toy_host, write):
    write("conf/method/fast.yaml", "defaults: [toy]\nrate: 0.9\n")
    assert {"toy", "other", "fast"} <= set(options(toy_host, "method"))
    assert "none" not in options(toy_host, "lora")


def test_the_folders_of_a_plugin_and_of_config_dir_are_searched(host_with, toy, desk, write):
    write("theirs/method/slow.yaml", "defaults: [toy]\nrate: 0.01\n")
    write("mine/method/odd.yaml", "defaults: [toy]\nrate: 0.3\n")

    class Plugin:
        @hookimpl
        def ptx_searchpath(self):
            return [str(desk / "theirs")]

    host = host_with(toy=toy, plugin=Plugin())
    assert {"slow", "odd"} <= set(options(host, "method", "mine"))
    assert "odd" not in options(host, "method")


def test_a_missing_config_dir_is_refused(toy_host, desk):
    with pytest.raises(ConfigError, match="--config-dir nowhere: no such folder"):
        options(toy_host, "method", "nowhere")


def test_what_is_known_is_read_anew_when_hydra_opens_again(toy_host, write):
    with hydra(toy_host, None):
        assert "late" not in known("method")
    write("conf/method/late.yaml", "defaults: [toy]\n")
    with hydra(toy_host, None):
        assert "late" in known("method")


def test_a_group_of_plain_data_is_read_whole(toy_host, write):
    write("conf/gate/strict.yaml", "constraints:\n  - {metric: a, at_least: 1}\n")
    assert read_group(toy_host, "gate", "strict") == {"constraints": [{"metric": "a", "at_least": 1}]}
    with pytest.raises(ConfigError, match=r"no gate 'strct'; did you mean 'strict'\?"):
        read_group(toy_host, "gate", "strct")
