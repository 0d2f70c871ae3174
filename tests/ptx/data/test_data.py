"""The package hands on its names, and imports what reads files only when it is asked for."""

import subprocess
import sys

import pytest

import ptx.data
from ptx.data import check, open_data
from ptx.data.findings.checking import check as of_its_module
from ptx.data.opening import open_data as of_its_module_too


def test_every_public_name_is_handed_on():
    assert (check, open_data) == (of_its_module, of_its_module_too)
    assert [getattr(ptx.data, name) for name in ptx.data.__all__]
    with pytest.raises(AttributeError, match=r"'ptx\.data' has no attribute 'read_all'"):
        ptx.data.read_all  # noqa: B018


def test_help_imports_nothing_that_opens_data():
    code = (
        "import sys; from ptx.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'hydra', 'ptx.data.opening', 'ptx.report.building'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
