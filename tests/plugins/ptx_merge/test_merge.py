"""The plugin contributes one verb and loads no ML library for it."""

import ptx_merge
from ptx.testing import check_plugin


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_merge")


def test_it_contributes_the_verb_merge():
    (command,) = ptx_merge.ptx_commands()
    assert (command.name, command.help) == ("merge", "make a whole model of an adapter and its base")
