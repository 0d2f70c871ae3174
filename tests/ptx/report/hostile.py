"""Two hundred hostile strings, and a sweep that has one of them in every field of each run."""

from __future__ import annotations

import itertools

from ptx.files import write_json
from ptx.records import Metric
from tests.ptx.report.runs import write_run, write_sweep

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><iframe src=//evil.example>",
    "<!-- <script>",
    "]]><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/a.png)",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "www.evil.example",
    "me@evil.example",
    "`code` **bold** | pipe |",
    "```\nfence",
    "# head",
    "- item",
    "1. item",
    "---",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "x\r=1+1",
    "\uff1d1+1",
    "{{ 7*7 }} {% raw %}",
    "\u202eevil\u202c \u200b\ufeff",
    "\x00\x07\x1b[31m",
    "&lt;script&gt; &#60; &amp;",
    "%3Cscript%3E",
    "a" * 5000,
    "\U0001f600" * 300,
)
#: what every JavaScript object answers to, so that a name must be no key of a plain one
EVERY_OBJECT = ("__proto__", "constructor", "toString")
SHAPES = ("{}", "sft {}", "{} tail", " {}", "{0}{0}", "\n{}\n")
STRINGS = [shape.format(text) for shape, text in itertools.product(SHAPES, PAYLOADS)][:200]


def _fields(text):
    return {
        "label": text,
        "command": text,
        "created": text,
        "device": text,
        "overrides": [text, f"method={text}"],
        "varied": {"method": text, f"k{text}": text},
        "config": {"method": text, f"k{text}": [text, {text: text}]},
        "model": {"name": text, "digest": text, "dtype": text},
        "data": {"name": text, "digest": text},
        "host": {"name": text, "cpu": text, "gpu": text, "platform": text},
        "versions": {text: text},
    }


def write_hostile(folder, strings):
    """A sweep of a baseline and a run per string."""
    names = ["base", *(f"r{index}" for index in range(len(strings)))]
    for name, text in zip(names, ["plain", *strings], strict=True):
        rows = [
            {
                "item": f"{text}{i}",
                "scores": {"quiz/right": float(i % 2)},
                "segments": {text: text},
                "prompt": text,
                "output": text + name,
                text: text,
            }
            for i in range(8)
        ]
        metrics = [
            Metric("quiz/right", 0.5, "fraction", "higher", 0.2, 0.8, 8),
            Metric("size/bytes_on_disk", 1e6, "bytes", "lower", 1e6, 1e6, 1),
            Metric(f"quiz/{text}", float("nan"), text, "higher", -1.0, 1.0, 8, "", text),
            Metric("quiz/other", 0.5, "points", "higher", 0.2, 0.8, 8, f"{text}={text}", text),
        ]
        run = folder / name
        extra = {} if name == "base" else _fields(text)
        write_run(run, "quiz", rows, metrics, baseline=name == "base", **extra)
        step = {"name": text, "kind": text, "key": text + name, "seconds": 1.0, "bytes": 5}
        error = {"type": text, "message": text, "traceback": f'File "{text}", line 1'}
        entries = [vars(metric) | {"evaluator": "quiz"} for metric in metrics]
        status = "failed" if names.index(name) % 9 == 5 else "done"
        result = {"status": status, "steps": [step], "error": error, "seconds": 1.0, "finished": text}
        write_json(
            run / "result.json", result | {"metrics": entries, "model": {"path": text, "runtime": text}}
        )
    return write_sweep(folder, *names)
