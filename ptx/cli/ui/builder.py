"""The page's data are computed in a process of its own, at the lowest priority that others leave.

A page of 1,000 runs takes half a minute of statistics and a gigabyte. In a process beside the server neither
delays the stream of other pages, and the memory is free again afterwards. One build runs at a time. The
process ends with its parent: its standard input closes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ptx.cli.sections import sections_of
from ptx.errors import ConfigError
from ptx.guard.reading import reason
from ptx.report.building import encodable, findings_of, no_collection
from ptx.report.formats.markdown import LEGEND
from ptx.report.page.packed import script_json
from ptx.report.table.records import Record, load_records

NICE = 5
LONGEST_ANSWER = 2**30
MANY = 200  # runs; after so many the process ends, and its memory is free
Parts = dict[str, list[str]]  # part -> [its digest, its JSON]


class Builder:
    """The process that computes, started when it is needed."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def build(self, folders: list[Path]) -> tuple[Parts, float]:
        """The parts of a page's data, and the seconds of CPU time that they took."""
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "ptx.cli.ui.builder"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=LONGEST_ANSWER,
                )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([str(folder) for folder in folders]).encode() + b"\n")
            line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                await self._process.wait()
                return problem("the page's data could not be computed: their process has died"), 1.0
            answer = json.loads(line)
            if answer["runs"] > MANY:
                self._process.stdin.close()
            return answer["parts"], answer["seconds"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()


def main() -> None:
    """Answer one line of folders with one line of parts, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints does not stand between the answers
    for line in sys.stdin:
        began = time.process_time()
        parts, runs = parts_of([Path(folder) for folder in json.loads(line)])
        answer = {"parts": parts, "runs": runs, "seconds": time.process_time() - began}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def parts_of(folders: list[Path]) -> tuple[Parts, int]:
    """The parts of a page's data, and the number of runs; a problem where there is nothing to draw."""
    try:
        records = load_records(folders)
        return digested(data_of(records)), len(records)
    except ConfigError as error:
        return problem(str(error)), 0
    except Exception as error:  # noqa: BLE001 (records change while they are read: the page says so)
        return problem(f"the records cannot be compared now: {type(error).__name__}: {reason(error)}"), 0


def problem(text: str) -> Parts:
    """Parts that only say what is wrong."""
    return digested({"problem": text})


def digested(data: dict[str, Any]) -> Parts:
    """Each part of some data as JSON, with its digest."""
    texts = {name: encodable(script_json(value)) for name, value in data.items()}
    return {name: [hashlib.sha256(text.encode()).hexdigest()[:12], text] for name, text in texts.items()}


def data_of(records: list[Record]) -> dict[str, Any]:
    """The value that the page's script draws, and what a live page needs beside it."""
    with no_collection():
        found = findings_of(records)
        rows = found.view.frame.rows
        return found.page() | {
            "problem": "",
            "ids": [f"{row.records[0].sweep_name}/{row.records[0].id}" for row in rows],
            "legend": LEGEND.format(base=found.view.frame.reference_name),
            "sections": _sections(records),
        }


def _sections(records: list[Record]) -> list[str]:
    """What plugins add; a file that one of them writes beside a report has no place on a live page."""
    with tempfile.TemporaryDirectory() as folder:
        return sections_of(records, Path(folder), lambda text: print(text, file=sys.stderr))


if __name__ == "__main__":
    main()
