"""Metric names as column heads. Names that nobody here knows are shown as they are: third-party evaluators are first-class."""

from __future__ import annotations

KNOWN = {
    "latency/request_ratio": ("latency", "request, baseline = 1"),
    "latency/request_seconds": ("latency", "request, median"),
    "latency/p95_seconds": ("latency", "request, p95"),
    "latency/prefill_seconds": ("latency", "prefill"),
    "latency/decode_tokens_per_second": ("latency", "decode"),
    "latency/peak_memory_bytes": ("memory", "peak"),
    "size/bytes_on_disk": ("size", "on disk"),
    "size/parameters": ("size", "parameters"),
}
SUBJECTS = {
    "latency/request_ratio": "per request, in turns with the baseline",
    "latency/request_seconds": "per request (median)",
    "latency/p95_seconds": "per request (p95)",
}


def head(name: str) -> tuple[str, str]:
    """(Group, name) of a column."""
    if name in KNOWN:
        return KNOWN[name]
    group, _, last = name.rpartition("/")
    return group.replace("/", " · "), last.replace("_", " ") if group else name


def short_name(name: str) -> str:
    """On one line: ``bench mean``, ``request, median``."""
    if name in KNOWN:
        group, last = KNOWN[name]
        return last if last.startswith("request") else f"{group} {last}" if group != "size" or last == "on disk" else last
    return name.replace("/", " ").replace("_", " ")


def subject(name: str) -> str:
    """What a latency is per."""
    return SUBJECTS.get(name, short_name(name))
