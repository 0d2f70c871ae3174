"""Records broken in every way that JSON allows, each as a change of a whole sweep's folder."""

from __future__ import annotations

import json
import shutil


def _edit(name):
    def change(edit):
        def broken(sweep, run):
            path = (sweep if name == "sweep.json" else run) / name
            value = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(edit(value) or value), encoding="utf-8")

        return broken

    return change


def run_json(**fields):
    return _edit("run.json")(lambda value: value.update(fields))


def result_json(**fields):
    return _edit("result.json")(lambda value: value.update(fields))


def metric(**fields):
    """The headline's entry with other fields."""

    def edit(value):
        next(one for one in value["metrics"] if one["name"] == "bench/mean").update(fields)

    return _edit("result.json")(edit)


def size(**fields):
    def edit(value):
        next(one for one in value["metrics"] if one["name"] == "size/bytes_on_disk").update(fields)

    return _edit("result.json")(edit)


def latency(**fields):
    def edit(value):
        next(one for one in value["metrics"] if one["name"] == "latency/request_seconds").update(fields)

    return _edit("result.json")(edit)


def text(name, content):
    return lambda sweep, run: (run / name).write_bytes(content)


def rows(content):
    return lambda sweep, run: (run / "evaluations" / "bench.jsonl").write_bytes(content)


def twice(sweep, run):
    _edit("result.json")(lambda value: value.update(metrics=value["metrics"] * 2))(sweep, run)


def below(sweep, run):
    """The sweep lies one folder lower than sweep.json says."""
    (sweep / "deeper").mkdir()
    shutil.move(run, sweep / "deeper" / run.name)


DEEP = b"[" * 5000 + b"]" * 5000
DEEP_FIELD = b'{"status": "done", "metrics": [], "error": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}"

#: name -> (change, a part of what the report must say; empty: it need only not fail)
WAYS = {
    "infinite value": (size(value=float("inf"), high=float("inf")), "size/bytes_on_disk"),
    "1e308": (size(value=1e308, low=1e308, high=1e308), "size/bytes_on_disk"),
    "minus 1e308": (latency(value=-1e308, low=-1e308, high=-1e308), "latency/request_seconds"),
    "null value": (metric(value=None, low=None, high=None), "bench/mean"),
    "text value": (metric(value="a lot"), "bench/mean"),
    "list value": (metric(value=[1, 2]), "bench/mean"),
    "bool value": (metric(value=True), "bench/mean"),
    "value outside its interval": (metric(low=0.99, high=1.0), "bench/mean"),
    "interval the wrong way round": (metric(low=0.9, high=0.1), "bench/mean"),
    "n as text": (metric(n="many"), "bench/mean"),
    "negative n": (metric(n=-3), "bench/mean"),
    "name missing": (metric(name=None), "name"),
    "name a list": (metric(name=["a"]), "name"),
    "unit a number": (metric(unit=3), "unit"),
    "fraction of 73": (metric(value=73.0, low=70.0, high=76.0), "73"),
    "opposite direction": (metric(better="lower"), "better"),
    "unknown direction": (metric(better="more"), "better"),
    "milliseconds beside seconds": (
        latency(value=9.0, low=8.0, high=10.0, unit="milliseconds"),
        "milliseconds",
    ),
    "apples beside bytes": (size(unit="apples"), "apples"),
    "segment a number": (metric(segment=4), "segment"),
    "lone surrogate in a label": (run_json(label="\ud800 bad"), ""),
    "lone surrogate in a message": (
        result_json(status="failed", error={"type": "E", "message": "\udfff", "traceback": ""}),
        "",
    ),
    "lone surrogate in a metric's name": (metric(name="bench/\ud83d"), ""),
    "future schema": (run_json(schema=7), "schema"),
    "schema a text": (run_json(schema="new"), "schema"),
    "every metric twice": (twice, "twice"),
    "sweep one level below": (below, ""),
    "run.json a list": (text("run.json", b"[1]"), "run.json"),
    "run.json empty": (text("run.json", b""), "run.json"),
    "run.json null": (text("run.json", b"null"), "run.json"),
    "result.json a number": (text("result.json", b"3"), "result.json"),
    "result.json cut off": (text("result.json", b'{"status": "done", "metr'), "result.json"),
    "result.json deep": (text("result.json", DEEP), "result.json"),
    "an error 400 levels deep": (text("result.json", DEEP_FIELD), ""),
    "metrics a mapping": (result_json(metrics={"a": 1}), "metrics"),
    "metrics of numbers": (result_json(metrics=[1, "x", None]), "metrics"),
    "steps a text": (result_json(steps="sft"), "steps"),
    "a step without fields": (result_json(steps=[{}]), ""),
    "a step with wrong fields": (
        result_json(steps=[{"name": 3, "kind": [], "key": None, "seconds": "long", "bytes": "x"}]),
        "seconds",
    ),
    "seconds a text": (result_json(seconds="long"), "seconds"),
    "seconds infinite": (result_json(seconds=float("inf")), ""),
    "status a list": (result_json(status=[]), "status"),
    "config a text": (run_json(config="x"), "config"),
    "config.eval a list": (run_json(config={"eval": ["bench"]}), "config.eval"),
    "config.eval true": (run_json(config={"eval": True}), "config.eval"),
    "config deep": (run_json(config=json.loads("[" * 200 + "]" * 200)), "run.json"),
    "varied a list": (run_json(varied=[1]), "varied"),
    "varied of mappings": (run_json(varied={"method": {"a": [1]}}), ""),
    "host of wrong types": (run_json(host={"cpu": [1], "cores": {}, "gpu": 3}), ""),
    "versions of wrong types": (run_json(versions={"torch": [1]}), ""),
    "model of wrong types": (run_json(model={"name": 3, "digest": [], "parameters": "x"}), ""),
    "seed a mapping": (run_json(seed={}), "seed"),
    "baseline a text": (run_json(baseline="yes"), "baseline"),
    "rows a text among numbers": (
        rows(b'{"item": "a", "scores": {"bench/mean": "good"}}\n{"item": "b", "scores": {"bench/mean": 1}}'),
        "",
    ),
    "rows of wrong types": (rows(b'{"item": [1], "scores": [2], "segments": "x"}\n[1]\n3\n'), ""),
    "rows not JSON": (rows(b"{\n"), "bench.jsonl"),
    "rows not UTF-8": (rows(b"\xff\xfe{}"), "bench.jsonl"),
    "events of wrong types": (
        text("events.jsonl", b'{"event": "log", "metrics": {"loss": 1}, "step": "x", "label": []}\n' * 3),
        "",
    ),
    "events with 1e308": (
        text(
            "events.jsonl",
            b'{"event":"log","metrics":{"loss":1e308},"step":1}\n'
            b'{"event":"log","metrics":{"loss":-1e308},"step":2}',
        ),
        "",
    ),
    "sweep.json a list": (lambda sweep, run: (sweep / "sweep.json").write_text("[1]"), "sweep.json"),
    "sweep runs of numbers": (_edit("sweep.json")(lambda value: value.update(runs=[1, {}])), "runs"),
    "command of 100,000 characters": (run_json(command="x" * 100_000), ""),
}
