"""``ptx merge ADAPTER out=FOLDER``: a whole model of an adapter and its base.

Everything in ptx takes an adapter as it is (``model=./adapter``): it is evaluated beside its base, and merged
before it is trained further, compressed or exported. A merged folder is for other programs.
"""

from __future__ import annotations

from ptx import Command, hookimpl


@hookimpl
def ptx_commands() -> list[Command]:
    """Contribute the verb ``merge``."""
    return [Command("merge", "make a whole model of an adapter and its base", _main)]


def _main(arguments: list[str]) -> int:
    from ptx_merge.command import main

    return main(arguments)
