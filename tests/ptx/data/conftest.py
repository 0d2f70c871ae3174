"""Data files in a folder of the test, and the message with which one is refused."""

import json

import pytest

from ptx.data import open_data
from ptx.errors import ConfigError


@pytest.fixture
def write_rows():
    """Write ``rows`` as JSON lines to ``path``; returns the path."""

    def write(path, *rows):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def opened(write_rows):
    """The data set of a file ``my.jsonl`` with ``rows`` in ``folder``."""

    def opened(folder, *rows, **options):
        return open_data("./my.jsonl", write_rows(folder / "my.jsonl", *rows), **options)

    return opened


@pytest.fixture
def refused():
    """The message of the ConfigError that ``call`` raises."""

    def refused(call):
        with pytest.raises(ConfigError) as caught:
            call()
        return str(caught.value)

    return refused
