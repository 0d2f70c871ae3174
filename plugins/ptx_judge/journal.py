"""A judge's replies, written line by line, so that an evaluation resumed after a kill asks only the rest.

There is one append-only file per judge, keyed by the digest of the full request. A reply is written before it
is used. A process locks the file while it asks, so two processes neither ask one question twice nor exceed a
limit together.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ptx.files import append_event, cache_folder, read_rows


def path_of(name: str) -> Path:
    """The journal of one judge."""
    return cache_folder() / "judge" / "journals" / f"{name}.jsonl"


class Journal:
    """Replies by key; open it as a context, which holds the lock."""

    def __init__(self, path: Path, waiting: Callable[[], None] = lambda: None) -> None:
        self.path, self.waiting = path, waiting
        self.replies: dict[str, dict[str, Any]] = {}
        self._guard = threading.Lock()
        self._lock = -1

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.waiting()
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._mend()
        self.replies = {row["key"]: row for row in read_rows(self.path)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def _mend(self) -> None:
        """Cut off a half-written last line, left by a kill; the next reply would be appended to it."""
        if not self.path.is_file():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)

    def add(self, key: str, **reply: Any) -> None:
        """Write a reply; may be called from several threads."""
        with self._guard:
            append_event(self.path, "reply", key=key, **reply)
            self.replies[key] = {"key": key, "time": time.time(), **reply}

    def spent(self, sweep: str) -> tuple[int, int]:
        """Requests and tokens of one sweep so far."""
        rows = [row for row in self.replies.values() if row.get("sweep") == sweep]
        return sum(int(row.get("attempts", 1)) for row in rows), sum(
            int(row.get("tokens") or 0) for row in rows
        )
