"""Plugins: found, traced, disabled, and a broken one shown without harm to others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ptx import Choice, ConfigError, Method, hookimpl, setting
from ptx.compose.jobs import compose_jobs
from ptx.errors import PtxError
from ptx.hooks import host as hosts
from ptx.hooks.host import load_host

PTXFILE = """
from dataclasses import dataclass, fields
from ptx import Choice, Method, hookimpl, setting

@dataclass
class Mine(Method):
    rate: float = setting(0.1, "how fast")

@hookimpl
def ptx_choices():
    return [Choice("method", "mine", Mine, "a method of mine")]
"""


def test_the_built_in_plugins_are_loaded_through_entry_points(tmp_path):
    host = load_host(tmp_path, {})
    assert {"sft", "dpo", "kto", "grpo"} <= set(host.names("method"))
    assert {"sparsegpt", "gptq"} <= set(host.names("compress"))
    assert host.broken == []


def test_a_ptxfile_in_the_working_folder_is_a_plugin_with_its_content_as_version(tmp_path):
    (tmp_path / "ptxfile.py").write_text(PTXFILE)
    host = load_host(tmp_path, {})
    assert "mine" in host.names("method")
    before = host.owners["method", "mine"].version
    (tmp_path / "ptxfile.py").write_text(PTXFILE + "\n# changed\n")
    assert load_host(tmp_path, {}).owners["method", "mine"].version != before


def test_a_broken_ptxfile_is_remembered_with_file_and_line_and_the_others_work(tmp_path):
    (tmp_path / "ptxfile.py").write_text("import json\nimport nowhere_to_be_found\n")
    host = load_host(tmp_path, {})
    assert [plugin.name for plugin in host.broken] == ["ptxfile"]
    assert "nowhere_to_be_found" in host.broken[0].error
    assert "ptxfile.py:2" in host.broken[0].error
    assert "sft" in host.names("method")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import sys\nsys.exit(0)", r"SystemExit: 0 .ptxfile.py:2"),
        ("x = (", r"SyntaxError: .*ptxfile.py:1"),
        ("def ptx_choices(): return 3", "ptx_choices returned 3, not a list of Choice .ptxfile.py"),
        ("def ptx_choices(): return [1]", "ptx_choices returned a list with 1, which is no Choice"),
        ("{}['nope']", "there is no 'nope' .ptxfile.py:1"),
    ],
)
def test_a_ptxfile_that_cannot_be_loaded_ends_the_command_with_file_and_line(
    tmp_path, monkeypatch, capsys, text, fault
):
    (tmp_path / "ptxfile.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"{tmp_path}/ptxfile.py cannot be loaded: .*{fault}"):
        hosts.get_host.__wrapped__()
    assert capsys.readouterr().err.count("ptxfile.py; PTX_DISABLE=ptxfile leaves it out") == 1
    monkeypatch.setenv("PTX_DISABLE", "ptxfile")
    assert "sft" in hosts.get_host.__wrapped__().names("method")
    assert capsys.readouterr().err == ""


def test_a_plugin_with_a_misspelt_hook_is_broken(host_with, module_named):
    @hookimpl
    def ptx_trian(run):
        return None

    host = host_with()
    hosts._load(host, "typo", "typo", "1", lambda: module_named("typo", ptx_trian=ptx_trian))
    assert "ptx_trian" in host.broken[0].error
    assert not host.manager.has_plugin("typo")


def test_a_plugin_with_a_field_type_that_hydra_cannot_hold_is_broken(host_with, module_named):
    @dataclass
    class Odd(Method):
        field: complex = setting(1j, "odd")

    host = host_with()
    hosts._load(
        host,
        "odd",
        "odd",
        "1",
        lambda: module_named("odd", ptx_choices=lambda: [Choice("method", "odd", Odd)]),
    )
    assert [plugin.name for plugin in host.broken] == ["odd"]
    assert "odd" not in host.names("method")


@pytest.mark.parametrize(("wanted", "newer"), [(2, "ptx"), (0, "the plugin"), ("x", "the plugin")])
def test_a_plugin_for_another_version_of_the_interface_is_broken(host_with, module_named, wanted, newer):
    module = module_named("other")
    module.PTX_API = wanted
    [broken] = host_with(other=module).broken
    assert f"written for version {wanted} of ptx's plugin interface, and this ptx has 1" in broken.error
    assert f"install a newer version of {newer}" in broken.error
    module.PTX_API = 1
    assert host_with(other=module).broken == []


def test_plugins_are_disabled_by_name(tmp_path):
    host = load_host(tmp_path, {"PTX_DISABLE": "dpo, kto"})
    assert not {"dpo", "kto"} & set(host.names("method"))
    assert "sft" in host.names("method")


def test_a_taken_name_loses_its_plugin_and_typing_it_names_both(host_with, toy, desk):
    host = host_with(first=toy)
    hosts._load(host, "second", "second", "1", type(toy))
    [broken] = host.broken
    assert "method=toy is given by two plugins: first" in broken.error
    assert host.owners["method", "toy"].name == "first"
    with pytest.raises(ConfigError, match=r"given by two plugins: first .* and second .*PTX_DISABLE=second"):
        compose_jobs(host, "train", ["model=./model", "data=./text.jsonl", "method=toy", "eval=[]"])
    others = ["model=./model", "data=./text.jsonl", "method=other", "eval=[]"]
    assert compose_jobs(host, "train", others)[0].config.method.rate == 0.1


def test_the_trace_prints_every_hook_call(tmp_path, capsys):
    host = load_host(tmp_path, {"PTX_TRACE": "1"})
    host.hook.ptx_commands()
    assert "[ptx trace] ptx_commands() -> " in capsys.readouterr().err


def test_a_first_result_hook_that_nobody_answers_is_an_error_with_the_type(host_with, toy):
    @dataclass
    class Lonely(Method):
        pass

    class Plugin:
        @hookimpl
        def ptx_choices(self):
            return [Choice("method", "lonely", Lonely)]

    host = host_with(toy=toy, plugin=Plugin())
    host.manager.unregister(name="builtin")
    with pytest.raises(PtxError, match="no plugin answered ptx_fit for Lonely; plugin plugin must implement"):
        host.first("ptx_fit", run=None, method=Lonely(), model=None, trainer=None, checkpoint=None)


def test_a_configuration_leads_to_its_choice_and_plugin(toy_host):
    method = toy_host.choices["method", "toy"].config_type()
    assert toy_host.choice_of(method).name == "toy"
    assert toy_host.owner_of(method).name == "toy"
    assert toy_host.name_of(method) == "toy"
    with pytest.raises(ConfigError, match="no plugin contributes the configuration type int"):
        toy_host.choice_of(3)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice("mehtod", "odd", Method), "choice 'odd' names the unknown group 'mehtod'"),
        (Choice("eval", "odd", Method), "Method must derive from ptx.Evaluator to be given as eval="),
    ],
)
def test_a_choice_of_a_wrong_group_or_type_makes_its_plugin_broken(host_with, module_named, choice, message):
    host = host_with()
    hosts._load(host, "odd", "odd", "1", lambda: module_named("odd", ptx_choices=lambda: [choice]))
    assert message in host.broken[0].error
