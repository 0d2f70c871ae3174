"""Malformed input of every kind, made from a seed, and a runner that bounds each case in time and memory.

A case is a folder with something wrong in it, and a command. It passes if the command ends in time, with an
exit code that the documentation knows, without a traceback, and, where it refuses, with the name of the file
or field that is wrong.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS, MEMORY = 15.0, 4 * 2**30  # of processor time; of address space
PATIENCE = 90.0  # seconds on the clock: a pipe that is waited for costs no processor time
CODES = (0, 1, 2)
#: what a value may be replaced by
POOL: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        10**30,
        -(2**63),
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "x" * 10_000,
        "../../x",
    ),
    *(
        [],
        [1],
        {},
        {"a": 1},
        [[[[1]]]],
        "\ud800",
        "\0",
        [None],
        {"": None},
        "nan",
        "${oc.env:NOWHERE}",
        "1e999",
    ),
)
ODD_BYTES = (
    *(b"", b"\0", b"\xff\xfe\x00", b"\xef\xbb\xbf", b"{", b"[", b"null", b"3", b'"x"', b"[" * 100_000),
    *(b"1" * 10_000, b'{"a": ' * 5_000 + b"1" + b"}" * 5_000, "größe".encode("utf-16"), b"\x1f\x8b\x08cut"),
)
ODD_YAML = (
    "a: &a [*a]",
    "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{n}: &{n} [{','.join([f'*{o}'] * 10)}]\n" for o, n in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "x: !!python/object/apply:os.system [id]",
    "x: !mine 1",
    "verb: train\nverb: eval",
    "- a\n- b",
    "3",
    "",
    "a: [",
    "[" * 100_000,
    "a:\n" + "".join(f"{'  ' * n}a:\n" for n in range(1, 300)),
    "? {a: 1}\n: 2",
    "a: 2020-99-99",
    "a: \x07",
    "<<: 3",
    "\t- a",
)
ROW = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
TEMPLATE = (
    "{% for m in messages %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% endfor %}"
)
TEMPLATES = (
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% include 'chat_template.jinja' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ 'a' * 10**10 }}",
    "{{ 9**9**9 }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ cycler.__init__.__globals__.os.popen('touch MARK') }}",
    "{% if",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{% for i in [1] %}" * 60 + "{% endfor %}" * 60,
    "{{ raise_exception('no') }}",
    "{{ messages[99].content }}",
    "{{ nothing.at.all }}",
    "{{ 1 / 0 }}",
    "\0",
    "",
)


@dataclass
class Case:
    """Something malformed, and the command that meets it."""

    name: str
    words: list[str]
    make: Callable[[Path], None] = lambda _: None
    mentions: str = ""  # a refusal names this
    codes: tuple[int, ...] = CODES
    environ: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """How a case ended."""

    case: Case
    code: int  # negative: a signal
    seconds: float  # of processor time
    said: str

    @property
    def fault(self) -> str:
        """Why the case does not pass; empty if it does."""
        if self.seconds > SECONDS:
            return f"took {self.seconds:.0f} s of processor time"
        if "Traceback (most recent call last)" in self.said:
            return "a traceback"
        undecided = self.case.words[0] == "gate" and self.code == 3
        if self.code not in self.case.codes and not undecided:
            return f"exit code {self.code}"
        if self.code and self.case.mentions not in self.said:
            return f"does not name {self.case.mentions}"
        if self.code and not self.said.strip():
            return "says nothing"
        return ""


def written(name: str, content: bytes | str) -> Callable[[Path], None]:
    """A function that writes one file."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return make


def special(name: str, kind: str) -> Callable[[Path], None]:
    """A function that makes a pipe, a link to a device, a folder, or links in a circle."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to({"zero": "/dev/zero", "circle": path.name, "gone": "/nowhere/at/all"}[kind])

    return make


SPECIAL = ("pipe", "zero", "folder", "circle", "gone")


def data_cases(rng: random.Random) -> Iterator[Case]:
    """Files of rows."""
    contents: dict[str, bytes] = {f"bytes-{n}": content for n, content in enumerate(ODD_BYTES)}
    contents |= {f"random-{n}": rng.randbytes(500) for n in range(6)}
    contents["long-line"] = json.dumps({"text": "x" * 3_000_000}).encode()
    contents["nan"] = b'{"prompt": NaN, "completion": Infinity}\n'
    contents["surrogate"] = b'{"text": "\\ud800"}\n'
    contents["huge-number"] = b'{"text": "a", "n": ' + b"9" * 4000 + b"}\n"
    contents["gzip-bomb"] = gzip.compress(b"\0" * 30_000_000)
    for value_number, value in enumerate(POOL):
        row = json.loads(json.dumps(ROW))
        where = rng.choice(["row", "messages", "message", "role", "content"])
        if where == "row":
            row = value
        elif where == "messages":
            row["messages"] = value
        elif where == "message":
            row["messages"][0] = value
        else:
            row["messages"][0][where] = value
        contents[f"{where}-{value_number}"] = (json.dumps(row) + "\n").encode()
    for name, content in contents.items():
        file = f"x{rng.choice(['.jsonl', '.json', '.csv', '.parquet', '.txt', '.jsonl'])}"
        for verb in ("check", "train"):
            words = [f"data=./{file}"] if verb == "check" else ["method=sft", f"data=./{file}", "--dry-run"]
            yield Case(f"data {verb} {file} {name}", [verb, *words], written(file, content), file[:2])
    for kind in SPECIAL:
        for file in ("x.jsonl", "x.txt"):
            words = ["train", "method=sft", f"data=./{file}", "--dry-run"]
            yield Case(f"data {kind} {file}", words, special(file, kind), file[:2])


def model_folder(folder: Path, **files: bytes) -> None:
    """A small model folder that is right but for ``files``."""
    from ptx_tiny import MODEL_FOLDER

    target = folder / "m"
    target.mkdir(exist_ok=True)
    for file in Path(MODEL_FOLDER).iterdir():
        if file.is_file():
            (target / file.name).symlink_to(file)
    for name, content in files.items():
        (target / name).unlink(missing_ok=True)
        (target / name).write_bytes(content)


def changed(text: str, rng: random.Random) -> tuple[bytes, str]:
    """JSON with one value, somewhere, replaced by one of the pool."""
    value = json.loads(text)
    at, path = value, []
    while isinstance(at, dict | list) and at:
        key = rng.choice(list(at) if isinstance(at, dict) else range(min(len(at), 50)))
        path.append(key)
        if rng.random() < 0.6 or not isinstance(at[key], dict | list) or not at[key]:
            at[key] = rng.choice(POOL)
            break
        at = at[key]
    return json.dumps(value).encode(), ".".join(map(str, path))


def model_cases(rng: random.Random) -> Iterator[Case]:  # noqa: C901 (a list of kinds)
    """Model folders: configuration, tokenizer, weights' header, adapters."""
    from ptx_tiny import MODEL_FOLDER

    home = Path(MODEL_FOLDER)
    names = [
        n for n in ("config.json", "generation_config.json", "tokenizer_config.json") if (home / n).is_file()
    ]
    commands = (
        ["check", "model=./m"],
        ["eval", "model=./m", "eval=[latency]", "--dry-run"],
        ["compress", "model=./m", "compress=[gptq]", "data=tiny", "--dry-run"],
        ["train", "model=./m", "method=sft", "data=./x.jsonl", "--dry-run"],
    )
    rows = written("x.jsonl", json.dumps(ROW) + "\n")

    def folder_with(**files: bytes) -> Callable[[Path], None]:
        return lambda folder: (model_folder(folder, **files), rows(folder))[0]

    for name in names:
        for number, content in enumerate(ODD_BYTES):
            yield Case(f"{name} bytes-{number}", rng.choice(commands), folder_with(**{name: content}))
        for number in range(25):
            content, where = changed((home / name).read_text(), rng)
            yield Case(f"{name} {number} {where}", rng.choice(commands), folder_with(**{name: content}))
        for kind in SPECIAL:

            def make(folder: Path, name: str = name, kind: str = kind) -> None:
                folder_with()(folder)
                (folder / "m" / name).unlink()
                special(f"m/{name}", kind)(folder)

            yield Case(f"{name} {kind}", rng.choice(commands), make)
    for number, content in enumerate([*ODD_BYTES[:10], b"{}", b'{"model": 3}', b'{"model": {"vocab": 3}}']):
        yield Case(
            f"tokenizer.json {number}", rng.choice(commands), folder_with(**{"tokenizer.json": content})
        )
    for number, content in enumerate(headers()):
        yield Case(
            f"safetensors {number}", commands[1], folder_with(**{"model.safetensors": content}), "safetensors"
        )
    for kind in SPECIAL:

        def weights(folder: Path, kind: str = kind) -> None:
            folder_with()(folder)
            (folder / "m/model.safetensors").unlink()
            special("m/model.safetensors", kind)(folder)

        yield Case(f"safetensors {kind}", commands[1], weights, "safetensors")
    for number, content in enumerate(
        [*ODD_BYTES[:10], *(json.dumps({"weight_map": v}).encode() for v in POOL)]
    ):
        files = {"model.safetensors.index.json": content}
        yield Case(f"index {number}", commands[1], folder_with(**files))
    for number, value in enumerate([*POOL, {"base_model_name_or_path": "../../x", "peft_type": "LORA"}]):
        files = {"adapter_config.json": json.dumps(value).encode(), "adapter_model.safetensors": b""}
        yield Case(f"adapter {number}", rng.choice(commands), folder_with(**files))
    for number, template in enumerate(TEMPLATES):
        files = {"chat_template.jinja": template.encode()}
        yield Case(f"template {number}", commands[3], folder_with(**files))


def headers() -> Iterator[bytes]:
    """Files that claim to be safetensors."""
    for length in (0, 7, 2**20, 2**40, 2**63, 2**64 - 1):
        yield struct.pack("<Q", length) + b"{}"
    good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    values: list[Any] = [[], 3, None, {"a": 3}, {"a": {}}, {"a": None}, {"__metadata__": 3}]
    values += [{"a": good | {"dtype": value}} for value in POOL[:8]]
    values += [{"a": good | {"shape": value}} for value in ([-1], ["x"], 3, None, [10**30], [[1]], [1e9])]
    values += [
        {"a": good | {"data_offsets": value}}
        for value in ([8, 0], [0], None, ["a", "b"], [0, 10**30], [-8, 0])
    ]
    for value in values:
        text = json.dumps(value).encode()
        yield struct.pack("<Q", len(text)) + text + b"\0" * 8
    for text in (b"[" * 50_000, b"\xff" * 10, b'{"a":' * 2000):
        yield struct.pack("<Q", len(text)) + text


def yaml_cases(rng: random.Random) -> Iterator[Case]:
    """Sweeps, recipes, presets, gates and task definitions."""
    places = {
        "s.yaml": ["sweep", "s.yaml", "--dry-run"],
        "conf/recipe/mine.yaml": ["train", "recipe=mine", "--dry-run"],
        "conf/method/mine.yaml": ["train", "method=mine", "--dry-run"],
        "conf/model/mine.yaml": ["eval", "model=mine", "eval=[latency]", "--dry-run"],
        "t/task.yaml": ["eval", "model=tiny", "eval=[bench]", "eval.bench.tasks=[./t]", "--dry-run"],
        "g.yaml": ["sweep", "s2.yaml", "--dry-run"],
    }
    search = {"overrides": ["method=sft"], "search": {"gate": "./g.yaml"}}
    for file, words in places.items():
        for number, text in enumerate(ODD_YAML):

            def make(folder: Path, file: str = file, text: str = text) -> None:
                written("s2.yaml", json.dumps(search))(folder)
                written(file, text)(folder)

            yield Case(f"{file} {number}", words, make)
        for encoding in ("utf-16", "latin-1"):
            yield Case(f"{file} {encoding}", words, written(file, "why: größe\nname: é".encode(encoding)))
        for kind in SPECIAL:
            yield Case(f"{file} {kind}", words, special(file, kind))
    yield from filled_yaml(rng)


def filled_yaml(rng: random.Random) -> Iterator[Case]:
    """Well-formed YAML with a wrong value in one field."""
    sweep = {"verb": "train", "name": "n", "config_dir": "c", "overrides": ["method=sft"]}
    space = {"trials": 2, "sampler": "random", "space": {"method.learning_rate": "interval(1e-5,1e-3)"}}
    space |= {"objectives": {"loss": "minimize"}, "seed": 0, "seeds": [0, 1], "startup": 1, "population": 0}
    recipe = {"why": "x", "rounds": 2, "each": {"a": {"method": "sft"}}, "steps": {"b": {"method": "sft"}}}
    recipe |= {"ramp": {"a": {"learning_rate": 0.1}}}
    task = {"task": "t", "dataset_path": "json", "output_type": "generate_until", "doc_to_text": "{{a}}"}
    task |= {
        "metric_list": [{"metric": "acc"}],
        "dataset_kwargs": {"data_files": "x.jsonl"},
        "test_split": "train",
    }
    task |= {"include": "other.yaml", "metadata": {"version": 1}, "filter_list": [], "generation_kwargs": {}}
    kinds: list[tuple[str, dict[str, Any], list[str]]] = [
        ("s.yaml", sweep, ["sweep", "s.yaml", "--dry-run"]),
        ("s.yaml", {**sweep, "search": space}, ["sweep", "s.yaml", "--dry-run"]),
        ("conf/recipe/mine.yaml", recipe, ["train", "recipe=mine", "--dry-run"]),
        ("t/t.yaml", task, ["eval", "model=tiny", "eval=[bench]", "eval.bench.tasks=[./t]", "--dry-run"]),
    ]
    for file, good, words in kinds:
        for number in range(30):
            content, where = changed(json.dumps(good), rng)
            yield Case(f"{file} {number} at {where}", words, written(file, content))
    for name in ("../x", "/abs", "", "a/b", "x" * 300, "nul"):
        text = json.dumps({"steps": {name: {"method": "sft"}}})
        yield Case(
            f"step {name[:9]}",
            ["train", "recipe=m", "--dry-run"],
            written("conf/recipe/m.yaml", text),
            codes=(2,),
        )
    for text in ("include: t.yaml\ntask: t", "include: [a.yaml, t.yaml]\ntask: t", "include: ../t\ntask: t"):
        words = ["eval", "model=tiny", "eval=[bench]", "eval.bench.tasks=[./t]", "--dry-run"]
        yield Case("include", words, written("t/t.yaml", text), "t/", (2,))
    words = ["train", "method=mine", "--dry-run"]
    yield Case("preset of itself", words, written("conf/method/mine.yaml", "defaults: [mine]\n"), codes=(2,))


PLUGIN = """
from dataclasses import dataclass
from ptx import Choice, Method, hookimpl, setting
{body}
"""
BODIES = (
    "raise ValueError('x')",
    "import sys; sys.exit(0)",
    "import nowhere",
    "def f(:",
    "\0",
    "@hookimpl\ndef ptx_choices(): return 3",
    "@hookimpl\ndef ptx_choices(): return [1]",
    "@hookimpl\ndef ptx_choices(): raise KeyError('nope')",
    "@hookimpl\ndef ptx_choices(): return [Choice('method', 'm', int, 'x')]",
    "@hookimpl\ndef ptx_choices(): return [Choice('nowhere', 'm', Method, 'x')]",
    "@hookimpl\ndef ptx_choices(): return [Choice('method', 'sft', Method, 'x')]",
    "@hookimpl\ndef ptx_validate(config): return 3",
    "@hookimpl\ndef ptx_validate(config): return ['x']",
    "@hookimpl\ndef ptx_validate(config): raise KeyError('nope')",
    "@hookimpl\ndef ptx_validate(config): raise SystemExit(0)",
    "@hookimpl\ndef ptx_validate(nothing): return []",
    "@hookimpl\ndef ptx_searchpath(): return [3]",
    "@hookimpl\ndef ptx_searchpath(): return ['/nowhere/at/all']",
    "@hookimpl\ndef ptx_searchpath(): raise RecursionError",
    "@hookimpl\ndef ptx_resolve(value, cache): return 'x'",
    "@hookimpl\ndef ptx_resolve(value, cache): raise TypeError('x')",
    "@hookimpl\ndef ptx_trian(run): return None",
    "@dataclass\nclass M(Method):\n    x: object = 3\nptx_choices = lambda: [Choice('method', 'm', M)]",
)


def plugin_cases(rng: random.Random) -> Iterator[Case]:
    """A ptxfile.py whose import or hooks go wrong."""
    for number, body in enumerate(BODIES):
        words = ["train", "method=sft", "data=tiny_messages", "--dry-run"]
        yield Case(f"ptxfile {number}", words, written("ptxfile.py", PLUGIN.format(body=body)), "ptxfile")
    for kind in SPECIAL:
        yield Case(f"ptxfile {kind}", ["eval", "model=tiny", "--dry-run"], special("ptxfile.py", kind))


def place_cases(rng: random.Random) -> Iterator[Case]:
    """Output and cache folders that cannot be used, and odd terminals."""
    plain = ["eval", "model=tiny", "eval=[latency]", "--dry-run"]
    for out in (
        "/dev/null",
        "/dev/zero/x",
        "x" * 300,
        "/proc/nowhere",
        "file",
        "file/below",
        "circle",
        "gone",
        "a\nb",
        " ",
        "",
    ):

        def make(folder: Path) -> None:
            written("file", "x")(folder)
            special("circle", "circle")(folder)

        yield Case(f"out={out[:9]!r}", [*plain, f"out='{out}'"], make, "out")
    for variable in ("PTX_CACHE", "XDG_CACHE_HOME"):
        for value in ("/dev/null", "/proc/nowhere", "x" * 300, "file", ""):
            words = ["train", "method=sft", "data=tiny_messages", "--dry-run"]
            own = {"PTX_CACHE": ""} | {variable: value}
            yield Case(f"{variable}={value[:9]}", words, written("file", "x"), environ=own)
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    rows = ["check", "data=./größe.jsonl"]
    for words in (["--help"], ["plugins"], ["train", "method=größe"], rows, plain):
        file = written("größe.jsonl", '{"text": "→ü"}\n')
        yield Case(f"ascii {words[0]}", words, file, environ=ascii_only)
    for columns in ("0", "-1", "x", "1"):
        yield Case(f"COLUMNS={columns}", ["plugins", "dpo"], environ={"COLUMNS": columns})
    for name in ("../x", "/abs", "..", ".", "", "x" * 300, "a\nb", "con", "${oc.env:SOME_API_KEY}"):
        for verb in (plain, ["train", "method=sft", "data=tiny_messages", "--dry-run"]):
            yield Case(f"name={name[:9]!r}", [*verb, f"name='{name}'"], mentions="name", codes=(2,))


WORDS = (
    *(
        "=",
        "a",
        "=x",
        "method=",
        "method",
        "method.beta=",
        "method={a: 1}",
        "+x=1",
        "++method=sft",
        "~method",
    ),
    *(
        "method.a.b.c.d=1",
        "method=[sft",
        "method=sft,",
        "seed=range(0,1000000000)",
        "seed=choice()",
        "x=${x}",
    ),
    *(
        "against=${against}",
        "against=${oc.create:{a: 1}}",
        "against=${hydra:runtime.cwd}",
        "against=${",
        "seed=${seed}",
    ),
    *(
        "data=\n",
        "data=./" + "x" * 5000,
        "model=" + "x/" * 2000,
        "eval=[latency,latency]",
        "eval={}",
        "eval=latency",
    ),
    *(
        "seed=1e400",
        "seed=nan",
        "seed=-1",
        "seed=9999999999999999999999",
        "threads=-1",
        "workers=1e9",
        "device=tpu",
    ),
    *(
        "compress=[[gptq]]",
        "model=null",
        "data=[a,b]",
        "method=sft method=dpo",
        "out=[a]",
        "--config-dir=/dev/null",
    ),
    *(
        "--config-dir=nowhere",
        "recipe=../../etc/passwd",
        "method=../../x",
        "\x1b[31m",
        "größe=ü",
        "a" * 100_000,
    ),
    *(
        "method.args={a: nan}",
        "method.args.neftune_noise_alpha=nan",
        "method.args.max_grad_norm=inf",
        "eval.latency=3",
    ),
)


def word_cases(rng: random.Random) -> Iterator[Case]:
    """Words of the command line."""
    for word in WORDS:
        for flags in ([], ["-m"]):
            words = ["train", *flags, "method=sft", "data=tiny_messages", word, "--dry-run"]
            yield Case(f"word {word[:20]!r} {flags}", words)


def number_cases(rng: random.Random) -> Iterator[Case]:
    """Numbers out of range in the fields of every choice."""
    import dataclasses

    from ptx.hooks.host import get_host

    values = ("nan", "inf", "-inf", "-1", "-5.5", "1e400", "123456789012345678901234567890", "x", "[]", "{}")
    verbs = {"method": "train", "compress": "compress", "eval": "eval"}
    found = []
    for (group, name), choice in get_host().choices.items():
        for one in dataclasses.fields(choice.config_type):
            if group in verbs and str(one.type).partition(" ")[0] in (
                "int",
                "float",
                "<class",
                "'int'",
                "'float'",
            ):
                for value in values:
                    found.append((group, name, one.name, value))
    for group, name, part, value in rng.sample(found, min(len(found), 150)):
        if group == "method":
            words = [f"method={name}", f"method.{part}={value}", "data=tiny"]
        else:
            words = [f"{group}=[{name}]", f"{group}.{name}.{part}={value}", "data=tiny"]
        senseless = value in ("nan", "inf", "-inf", "1e400")
        yield Case(
            f"{group}.{name}.{part}={value}",
            [verbs[group], *words, "--dry-run"],
            mentions=part if senseless else "",
            codes=(2,) if senseless else CODES,
        )


def good_files() -> dict[str, Any]:
    """A sweep of one finished run: file beside run.json -> what a reader of records finds in it."""
    metric = {
        "name": "bench/mean",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "n": 9,
        "unit": "",
        "better": "higher",
    }
    run = {
        "schema": 1,
        "id": "r",
        "label": "a=1",
        "verb": "eval",
        "sweep": "s",
        "varied": {"a": "1"},
        "seed": 0,
    }
    run |= {"config": {"model": {"choice": "model=tiny"}}, "model": {"name": "m", "digest": "d"}, "steps": []}
    run |= {
        "evaluations": [{"name": "bench", "key": "k", "ingredients": {}, "config": {}}],
        "versions": {"ptx": "1"},
    }
    result = {
        "schema": 1,
        "status": "done",
        "error": None,
        "metrics": [metric | {"evaluator": "bench"}],
        "steps": [],
    }
    result |= {
        "evaluations": [{"name": "bench", "key": "k", "seconds": 1.0}],
        "model": {"bytes": 1},
        "seconds": 1.0,
    }
    sweep = {"schema": 1, "name": "s", "verb": "eval", "command": "ptx", "runs": ["r"], "axes": {"a": ["1"]}}
    return {"run.json": run, "result.json": result, "../sweep.json": sweep}


def good_records(folder: Path) -> None:
    """Write them."""
    for file, value in good_files().items():
        written(f"o/runs/s/r/{file}", json.dumps(value))(folder)


def record_cases(rng: random.Random) -> Iterator[Case]:
    """Records of strangers: report, runs, gate."""
    files = good_files()

    def make(folder: Path, broken: str, content: bytes) -> None:
        good_records(folder)
        written(f"o/runs/s/r/{broken}", content)(folder)

    commands = (["report", "s", "--out=o"], ["runs", "show", "s", "--out=o"], ["runs", "ls", "--out=o"])
    commands = (*commands, ["gate", "s", "--out=o", "gate=ship"], ["store", "ls", "--out=o"])
    for file, value in files.items():
        contents = [*ODD_BYTES[:12], *(changed(json.dumps(value), rng)[0] for _ in range(14))]
        for number, content in enumerate(contents):
            yield Case(
                f"record {file} {number}", rng.choice(commands), lambda f, b=file, c=content: make(f, b, c)
            )


def cases(seed: int) -> list[Case]:
    """Every case of a seed; the same seed gives the same cases."""
    from tests.ptx.cli.hostile_further import KINDS

    kinds = (
        data_cases,
        model_cases,
        yaml_cases,
        plugin_cases,
        place_cases,
        word_cases,
        number_cases,
        record_cases,
        *KINDS,
    )
    return [case for kind in kinds for case in kind(random.Random(seed))]


def run(case: Case, folder: Path) -> Outcome:
    """Run one case in a fork of this process, which has imported everything already."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case.make(folder)
    log, began = folder.parent / f"{folder.name}.log", time.monotonic()
    child = os.fork()
    if child == 0:
        _in_child(case, folder, log)
    deadline = began + PATIENCE
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(0.005)
    said = log.read_text(errors="replace")
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(case, os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, said)


def _in_child(case: Case, folder: Path, log: Path) -> None:
    """Run the command with bounds, and leave without a trace of the test's process."""
    code = 99
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.chdir(folder)
        os.environ.update(
            {"PTX_CACHE": str(folder.parent / "cache"), "SOME_API_KEY": "sk-0123456789", **case.environ}
        )
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        encoding = case.environ.get("PYTHONIOENCODING", "utf-8")
        sys.stdout = os.fdopen(1, "w", encoding=encoding, closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding=encoding, closefd=False)
        code = _command(case.words)
    except BaseException:  # noqa: BLE001 (the fork never returns into the test's process)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str]) -> int:
    from ptx.cli import main
    from ptx.hooks.host import get_host

    if os.path.lexists("ptxfile.py"):
        get_host.cache_clear()
    try:
        return main(words)
    except SystemExit as left:  # argparse
        return left.code if isinstance(left.code, int) else 2
