"""Make metrics from timed turns of requests. Imports no ML library."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ptx import Better, Metric, ModelRef, stats
from ptx.lm.load import base_of, is_adapter
from ptx.models import inspection
from ptx_latency import Latency

REQUEST, WAITING, THROUGHPUT = (
    "latency/request_seconds",
    "latency/waiting_seconds",
    "latency/throughput_tokens_per_second",
)
#: as the child writes it: requests (seconds in the queue, to the first token, to the last), seconds, joules
Turn = dict[str, Any]
UNITS = {"tokens_per_second": "tokens/s", "seconds": "seconds", "joules_per_token": "J/token"}
#: bits of a floating-point number without its sign, by the type's name in a safetensors header
MAGNITUDE = {
    "F64": 0x7FFFFFFFFFFFFFFF,
    "F32": 0x7FFFFFFF,
    "F16": 0x7FFF,
    "BF16": 0x7FFF,
    "F8_E4M3": 0x7F,
    "F8_E5M2": 0x7F,
}
CHUNK = 1 << 24  # numbers read at once


def request_scores(config: Latency, waited: float, first: float, rest: float) -> dict[str, float]:
    """Scores of one request, from its seconds in the queue, to the first token, and from there on."""
    scores = {
        "latency/prefill_seconds": first,
        "latency/token_seconds": rest / (config.new_tokens - 1),
        "latency/decode_tokens_per_second": config.batch_size * (config.new_tokens - 1) / rest,
        REQUEST: first + rest,
    }
    return scores | ({WAITING: waited} if config.concurrency > 1 else {})


def turn_scores(config: Latency, turn: Turn) -> dict[str, float]:
    """Scores that only a whole turn has: throughput and energy."""
    made = config.batch_size * config.new_tokens * len(turn["requests"])
    scores = {THROUGHPUT: made / turn["seconds"]}
    return scores if turn["joules"] is None else scores | {"latency/joules_per_token": turn["joules"] / made}


def scores_of(config: Latency, turn: Turn) -> dict[str, float]:
    """Scores of a turn's row: the means over its requests, and those of the whole turn."""
    requests = [request_scores(config, *served) for served in turn["requests"]]
    return {name: fmean(row[name] for row in requests) for name in requests[0]} | turn_scores(config, turn)


def in_turns(rows: Sequence[dict[str, Any]]) -> list[Metric]:
    """Medians over turns of the time ratio to the baseline, and of that between requests to one model."""
    pairs = [(row["scores"][REQUEST], row["beside"][REQUEST]) for row in rows if "beside" in row]
    if not pairs:
        return []
    found = [ratio("latency/request_ratio", [ours / theirs for ours, theirs in pairs])]
    return [*found, ratio("latency/same_ratio", same(pairs))] if len(pairs) > 2 else found


def same(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Ratios of neighbouring requests to one model.

    Turns go A B, B A, A B, ...: the baseline's requests of turns 0 and 1 are neighbours, the artifact's of 1
    and 2, and so on. Every second pair of each model is inverted, so that a drift of the machine (warming up,
    cooling down) cancels.
    """
    found = []
    for number, (first, second) in enumerate(itertools.pairwise(pairs)):
        side = 1 if number % 2 == 0 else 0
        found.append(first[side] / second[side] if number // 2 % 2 == 0 else second[side] / first[side])
    return found


def ratio(name: str, ratios: Sequence[float]) -> Metric:
    """The median of ratios."""
    value, low, high = stats.quantile_interval(ratios, 0.5)
    return Metric(name, value, "ratio", "lower", max(0.0, low), high, len(ratios))


def timed(config: Latency, turns: Sequence[Turn], seed: int = 0) -> list[Metric]:
    """Medians, p95 and p99 over all requests, and medians of the whole turns' scores.

    No distribution is assumed, because latencies have long tails.
    """
    requests = [[request_scores(config, *served) for served in turn["requests"]] for turn in turns]
    whole = [turn_scores(config, turn) for turn in turns]
    columns = {name: [[row[name] for row in turn] for turn in requests] for name in requests[0][0]}
    metrics = [quantile(name, column, 0.5, seed) for name, column in columns.items()]
    metrics += [quantile(name, [[row[name]] for row in whole], 0.5, seed) for name in whole[0]]
    tails = [quantile(f"latency/p{q}_seconds", columns[REQUEST], q / 100, seed) for q in (95, 99)]
    return [*metrics, *tails]


def quantile(name: str, turns: Sequence[Sequence[float]], q: float, seed: int = 0) -> Metric:
    """A quantile of measured values as a metric.

    Its interval comes from order statistics. Several requests of one turn delay each other and are not
    independent; there a bootstrap over turns gives a second interval, and the wider end of the two is used.
    """
    values = [value for turn in turns for value in turn]
    value, low, high = stats.quantile_interval(values, q)
    if len(values) > len(turns):
        _, lower, higher = stats.bootstrap(
            list(turns), lambda drawn: float(np.quantile(np.concatenate(drawn), q)), seed
        )
        low, high = min(low, lower), max(high, higher)
    unit = next(unit for end, unit in UNITS.items() if name.endswith(end))
    better: Better = "higher" if unit == "tokens/s" else "lower"
    return Metric(name, value, unit, better, max(0.0, low), high, len(values))


def cost(config: Latency, rows: Sequence[dict[str, Any]]) -> list[Metric]:
    """The price of a million generated tokens on a machine that answers only such requests."""
    if config.price_per_hour is None:
        return []
    seconds = [1 / row["scores"][THROUGHPUT] for row in rows]  # per token, all clients together
    value, low, high = (
        each * config.price_per_hour / 3600 * 1e6 for each in stats.quantile_interval(seconds, 0.5)
    )
    name, unit = "latency/cost_per_million_tokens", f"{config.currency}/M tokens"
    return [Metric(name, value, unit, "lower", max(0.0, low), high, len(rows))]


def observed(found: dict[str, Any]) -> list[Metric]:
    """Load time and memory, which are measured once and include the libraries.

    One value says nothing about its spread, so the interval has no upper end.
    """
    seen = [
        ("latency/load_seconds", "seconds", found["load_seconds"]),
        ("latency/peak_memory_bytes", "bytes", found["peak_memory_bytes"]),
    ]
    if found["gpu_memory_bytes"] is not None:
        seen.append(("latency/gpu_memory_bytes", "bytes", found["gpu_memory_bytes"]))
    return [Metric(name, value, unit, "lower", 0.0, math.inf, 1) for name, unit, value in seen]


def sizes(model: ModelRef) -> list[Metric]:
    """Bytes to ship (an adapter needs its base), weights, and weights that are not zero; all exact."""
    folders = [model.path, base_of(model.path)] if is_adapter(model.path) else [model.path]
    disk = float(sum(ModelRef(folder).bytes for folder in folders))
    found = [exact("size/bytes_on_disk", "bytes", disk)]
    if (folders[-1] / "config.json").is_file() and inspection.weight_files(folders[-1]):
        facts = inspection.inspect(folders[-1])
        found.append(exact("size/parameters", "parameters", float(facts.parameters)))
        if not facts.quantized:  # zeros of packed integers cannot be counted
            found.append(
                exact("size/nonzero_parameters", "parameters", float(facts.parameters - zeros(folders[-1])))
            )
    return found


def exact(name: str, unit: str, value: float) -> Metric:
    """A counted number."""
    return Metric(name, value, unit, "lower", value, value, 1)


def zeros(folder: Path) -> int:
    """How many stored floating-point weights are zero, of either sign; files are read in pieces."""
    count = 0
    for file in inspection.weight_files(folder):
        entries, _ = inspection.header_of(file)
        with file.open("rb") as opened:
            start = 8 + int.from_bytes(opened.read(8), "little")
        for entry in entries.values():
            mask = MAGNITUDE.get(entry["dtype"])
            if mask is None:
                continue
            kind = np.dtype(f"u{(mask.bit_length() + 1) // 8}")
            begin, end = entry["data_offsets"]
            for at in range(begin, end, CHUNK * kind.itemsize):
                size = min(end - at, CHUNK * kind.itemsize) // kind.itemsize
                bits = np.fromfile(file, kind, size, offset=start + at)
                count += size - int(np.count_nonzero(bits & kind.type(mask)))
    return count
