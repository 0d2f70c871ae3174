"""What a list of runs shows of each one, kept while the files of its record are the same.

Reading 20,000 files takes seconds, asking whether they have changed takes a tenth of one. So the values of
a list are kept beside the stamps of ``run.json`` and ``result.json`` (inode, size, times). A run whose stamps
differ is read again, and so is one whose files changed within the last seconds, since a clock may not tell
two such changes apart. The file lies in the cache, is replaced as a whole, and may be deleted at any time;
where it cannot be read or written, every record is read.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ptx.files import cache_folder, digest_of, read_json, write_text
from ptx.report.table.records import Record, load_records, read_run

FILES = ("run.json", "result.json")
FIELDS = {"run": ("id", "sweep", "label"), "result": ("status", "seconds")}
FEW = 100  # runs; so many are read at once
SECONDS_UNSURE = 2.0
Stamp = list[int]


def list_records(path: Path) -> list[Record]:
    """The runs at or below a folder, in the order of their sweep, with what a list shows of them.

    Raises:
        ConfigError: as :func:`ptx.report.table.records.load_records`.
    """
    listing = Listing(path)
    records = load_records([path], listing.read)
    listing.save()
    return records


class Listing:
    """The values of the runs at or below a folder, from the last list or from their records."""

    def __init__(self, folder: Path) -> None:
        name = digest_of([os.path.realpath(folder), str(folder)])[:24]
        self.path = cache_folder() / "listings" / f"{name}.json"
        self._before = _kept(self.path)
        self._now: dict[str, Any] = {}
        self._changed = False

    def read(self, folder: Path, sweep: dict[str, Any]) -> Record:
        """One run: the kept values if its files are the same, else its record."""
        stamp, key = [stamp_of(f"{folder}/{name}") for name in FILES], str(folder)
        entry = self._before.get(key)
        if isinstance(entry, dict) and entry.get("stamp") == stamp and (found := _values(entry)):
            self._now[key] = entry
            return Record(folder, str(entry["status"]), *found, sweep)
        record = read_run(folder, sweep)
        self._changed = True
        if all(time.time() - max(one[2:], default=0) / 1e9 > SECONDS_UNSURE for one in stamp):
            self._now[key] = {"stamp": stamp, "status": record.status} | {
                part: {
                    name: value for name in names if (value := getattr(record, part).get(name)) is not None
                }
                for part, names in FIELDS.items()
            }
        return record

    def save(self) -> None:
        """Keep the values of these runs for the next list."""
        if len(self._now) < FEW or not (self._changed or len(self._now) < len(self._before)):
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(self._now, separators=(",", ":"), ensure_ascii=False))
        except OSError:
            return  # a full or read-only disk: the next list reads the records again


def _kept(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _values(entry: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The kept values of ``run.json`` and ``result.json``; None where they are not what was kept."""
    run, result = entry.get("run"), entry.get("result")
    if not isinstance(run, dict) or not isinstance(result, dict) or not isinstance(entry.get("status"), str):
        return None
    if not isinstance(result.get("seconds", 0.0), int | float):
        return None
    return run, result


def stamp_of(path: str) -> Stamp:
    """Inode, size and times of a file; empty where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a Path of each of 20,000 files takes longer than the question)
    except OSError:
        return []
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
