"""Metric names as column heads.

Unknown names are shown as they are, because third-party evaluators have the same rank as the built-in ones.
"""

from __future__ import annotations

KNOWN = {
    "latency/request_ratio": ("latency", "request, baseline = 1"),
    "latency/request_seconds": ("latency", "request, median"),
    "latency/same_ratio": ("latency", "same model, noise floor"),
    "latency/p95_seconds": ("latency", "request, p95"),
    "latency/p99_seconds": ("latency", "request, p99"),
    "latency/prefill_seconds": ("latency", "time to first token"),
    "latency/token_seconds": ("latency", "time per token"),
    "latency/throughput_tokens_per_second": ("latency", "throughput"),
    "latency/joules_per_token": ("energy", "per token"),
    "latency/cost_per_million_tokens": ("cost", "per million tokens"),
    "latency/load_seconds": ("latency", "load"),
    "latency/gpu_memory_bytes": ("memory", "peak, GPU"),
    "latency/decode_tokens_per_second": ("latency", "decode"),
    "latency/peak_memory_bytes": ("memory", "peak"),
    "size/bytes_on_disk": ("size", "on disk"),
    "size/parameters": ("size", "parameters"),
    "size/nonzero_parameters": ("size", "parameters not zero"),
}
SUBJECTS = {
    "latency/request_ratio": "per request, in turns with the baseline",
    "latency/request_seconds": "per request (median)",
    "latency/p95_seconds": "per request (p95)",
}


def column_head(name: str) -> tuple[str, str]:
    """(Group, title) of a metric's column.

    The name of a time from another than the report's first machine ends in ``@ machine``, which the group
    keeps.
    """
    name, at, machine = name.partition(" @ ")
    if name in KNOWN:
        group, last = KNOWN[name]
        return f"{group}{at}{machine}", last
    group, _, last = name.rpartition("/")
    return group.replace("/", " · "), last.replace("_", " ") if group else name


def short_name(name: str) -> str:
    """The metric's name for a sentence: ``bench mean``, ``time per request, median``."""
    name, at, machine = name.partition(" @ ")
    return _short(name) + at + machine


def _short(name: str) -> str:
    if name in KNOWN:
        group, last = KNOWN[name]
        return (
            f"time per {last}"
            if last.startswith("request")
            else f"{group} {last}"
            if group != "size" or last == "on disk"
            else last
        )
    return name.replace("/", " ").replace("_", " ")


def subject(name: str) -> str:
    """What a latency was measured of (``per request (median)``); for other metrics the short name."""
    return SUBJECTS.get(name, short_name(name))
