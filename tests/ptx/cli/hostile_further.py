"""Further kinds of malformed input: the environment, model folders of other kinds, records and their readers.

Beside :mod:`hostile`: adapters, templates and tokenizers that are nearly right, packages of runtimes, presets
of every group, gates and definitions of reports, spaces of searches, and the words of the verbs that make or
describe data.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ptx.cli.hostile import (
    CODES,
    ODD_BYTES,
    ODD_YAML,
    POOL,
    ROW,
    SPECIAL,
    TEMPLATE,
    Case,
    changed,
    good_records,
    model_folder,
    special,
    written,
)

PLAIN = ["eval", "model=tiny", "eval=[latency]", "--dry-run"]
TRAIN = ["train", "method=sft", "data=./x.jsonl", "--dry-run"]
ROWS = written("x.jsonl", "".join(json.dumps(ROW) + "\n" for _ in range(3)))
#: variables that ptx and its libraries read
VARIABLES = (
    *("PTX_DISABLE", "PTX_PLUGIN_SECONDS", "PTX_TRACE", "PTX_QUIET", "PTX_STEP_PYTHON", "PTX_API"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_DATASETS_CACHE"),
    *(
        "OMP_NUM_THREADS",
        "CUDA_VISIBLE_DEVICES",
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "TERM",
        "TMPDIR",
        "HOME",
    ),
    *("LANG", "NO_COLOR", "FORCE_COLOR", "ACCELERATE_MIXED_PRECISION", "OPENAI_API_KEY", "XDG_CACHE_HOME"),
    *("WANDB_MODE", "MASTER_PORT", "LINES", "PYTHONPATH", "PATH"),
)
ODD_TEXTS = (
    *("", " ", "x", "-1", "0", "nan", "1e999", "9" * 400, "a,b,,c", "../../x", "/dev/null", "/nowhere/x"),
    *("größe", "\udcff\udcfe", "a\nb\r", "x" * 20_000, "${oc.env:HOME}", "{{1}}", "%s%n", "\x1b[31m", "file"),
)


def environment_cases(rng: random.Random) -> Iterator[Case]:
    """Variables with values that mean nothing."""
    for name in VARIABLES:
        for value in rng.sample(ODD_TEXTS, 6):
            words = rng.choice([PLAIN, TRAIN, ["plugins", "--json"], ["check", "data=./x.jsonl"]])

            def make(folder: Path) -> None:
                ROWS(folder)
                written("file", "x")(folder)

            yield Case(f"{name}={value[:12]!r} {words[0]}", words, make, environ={name: value})


LORA: dict[str, Any] = {
    "peft_type": "LORA",
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj"],
    "task_type": "CAUSAL_LM",
    "base_model_name_or_path": "../m",
    "bias": "none",
    "lora_dropout": 0.0,
    "use_dora": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "modules_to_save": None,
    "layers_to_transform": None,
    "fan_in_fan_out": False,
    "revision": None,
    "exclude_modules": None,
    "init_lora_weights": True,
}


def safetensors(tensors: dict[str, tuple[str, list[int], int]]) -> bytes:
    """A file of zeros: name -> type, shape, bytes."""
    header, at = {}, 0
    for name, (kind, shape, size) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def adapter_cases(rng: random.Random) -> Iterator[Case]:
    """Adapters with one wrong setting, or with weights that do not fit."""
    weight = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    right = safetensors({weight: ("F32", [4, 4], 64)})
    commands = (
        ["check", "model=./a"],
        ["eval", "model=./a", "eval=[latency]", "--dry-run"],
        ["compress", "model=./a", "compress=[gptq]", "data=tiny", "--dry-run"],
        ["train", "model=./a", "method=sft", "data=./x.jsonl", "--dry-run"],
        ["train", "model=./a", "method=sft", "lora=lora", "data=./x.jsonl", "--dry-run"],
    )

    def make(folder: Path, config: bytes, weights: bytes) -> None:
        model_folder(folder)
        ROWS(folder)
        written("a/adapter_config.json", config)(folder)
        written("a/adapter_model.safetensors", weights)(folder)

    for key in LORA:
        for value in rng.sample(POOL, 3):
            config = json.dumps({**LORA, key: value}).encode()
            yield Case(
                f"adapter {key}={str(value)[:9]}",
                rng.choice(commands),
                lambda folder, config=config: make(folder, config, right),
            )
    odd = [
        b"",
        right[:-8],
        safetensors({}),
        safetensors({"x": ("F32", [1], 4)}),
        safetensors({weight: ("I64", [4, 4], 128)}),
        safetensors({weight: ("F32", [0, 4], 0)}),
        safetensors({weight: ("F32", [10**9, 10**9], 4)}),
    ]
    for number, weights in enumerate(odd):
        for words in commands[1:4]:
            yield Case(
                f"adapter weights {number} {words[0]}",
                words,
                lambda folder, weights=weights: make(folder, json.dumps(LORA).encode(), weights),
            )
    loop = json.dumps({**LORA, "base_model_name_or_path": "."}).encode()
    yield Case("adapter of itself", commands[1], lambda folder: make(folder, loop, right), codes=(2,))


#: what a template may hold instead of one text
TEMPLATES: tuple[Any, ...] = (
    *([], {}, [{}], [{"name": "default"}], [{"template": TEMPLATE}], [{"name": 3, "template": TEMPLATE}]),
    *([{"name": "default", "template": 3}], {"default": TEMPLATE}, [TEMPLATE], "x" * 3_000_000, 3, True),
    *([{"name": "a", "template": TEMPLATE}, {"name": "a", "template": TEMPLATE}], "{{ messages }}", "{{}}"),
    "{% set ns = namespace(n=0) %}{% for m in messages * 100000 %}{% set ns.n = ns.n + 1 %}{% endfor %}",
    "{{ messages | tojson(indent=10**9) }}",
    "{{ ('%' ~ '9' * 9 ~ 'd') | format(1) }}",
    "{{ messages | map(attribute='content') | join('x' * 10**8) }}",
    "{{ strftime_now('%' * 100000) }}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endfor %}",
    "{% generation %}{% generation %}x{% endgeneration %}{% endgeneration %}",
    "{{ messages[0].content.format(messages) }}{{ '{0.__class__}'.format(1) }}",
    "{% for m in messages %}{% generation %}{{ m.content[::-1] }}{% endgeneration %}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ range(9) | random }}{% endgeneration %}{% endfor %}",
)


def template_cases(rng: random.Random) -> Iterator[Case]:
    """Chat templates in tokenizer_config.json, and folders of several."""
    commands = (
        ["train", "model=./m", "method=sft", "data=./x.jsonl", "--dry-run"],
        ["check", "model=./m", "data=./x.jsonl", "method=sft"],
        ["check", "model=./m"],
    )
    for number, template in enumerate(TEMPLATES):
        config = json.dumps({"chat_template": template, "eos_token": "<|end|>"}).encode()

        def make(folder: Path, config: bytes = config) -> None:
            model_folder(folder, **{"tokenizer_config.json": config})
            (folder / "m/chat_template.jinja").unlink()
            ROWS(folder)

        for words in rng.sample(commands, 2):
            yield Case(f"template {number} in the configuration, {words[0]}", words, make)
    for kind in SPECIAL:

        def several(folder: Path, kind: str = kind) -> None:
            model_folder(folder)
            ROWS(folder)
            special("m/additional_chat_templates/a.jinja", kind)(folder)
            special("m/chat_template.jinja", kind)(folder)

        yield Case(f"template {kind}", commands[0], several)


def tokenizer_cases(rng: random.Random) -> Iterator[Case]:
    """A tokenizer.json in which one value is wrong."""
    from ptx_tiny import MODEL_FOLDER

    text = (Path(MODEL_FOLDER) / "tokenizer.json").read_text()
    parts = json.loads(text)
    commands = (
        ["check", "model=./m"],
        ["check", "model=./m", "data=./x.jsonl", "method=sft"],
        ["train", "model=./m", "method=sft", "data=./x.jsonl", "--dry-run"],
    )

    def make(folder: Path, content: bytes) -> None:
        model_folder(folder, **{"tokenizer.json": content})
        ROWS(folder)

    contents = [(f"{part}={str(value)[:9]}", {**parts, part: value}) for part in parts for value in POOL[::5]]
    model = parts["model"]
    contents += [
        (f"model.{part}={str(value)[:9]}", {**parts, "model": {**model, part: value}})
        for part in model
        for value in rng.sample(POOL, 3)
    ]
    vocabulary = model["vocab"]
    some = rng.choice(sorted(vocabulary))
    for value in (-1, 2**40, 0.5, "x", None):
        contents.append((f"id {value}", {**parts, "model": {**model, "vocab": {**vocabulary, some: value}}}))
    for added in ({}, {"id": -1, "content": "x"}, {"id": 10**9, "content": "x"}, {"id": 0, "content": ""}):
        whole = {
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False),
            **added,
        }
        contents.append(
            (f"added {added}", {**parts, "added_tokens": [*parts.get("added_tokens", []), whole]})
        )
    for name, content in rng.sample(contents, min(len(contents), 40)):
        yield Case(
            f"tokenizer {name}",
            rng.choice(commands),
            lambda folder, content=content: make(folder, json.dumps(content).encode()),
        )


def gguf(version: int, tensors: int, pairs: int, rest: bytes = b"") -> bytes:
    """The head of a GGUF file."""
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + rest


GGUFS = (
    *(b"", b"GGUF", gguf(3, 0, 0), gguf(3, 2**63, 2**63), gguf(0, 1, 1), gguf(99, 1, 1), b"GGML" + bytes(64)),
    gguf(3, 0, 1, struct.pack("<Q", 2**62) + b"x"),
    gguf(3, 0, 1, struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 2**40)),
    gguf(3, 0, 1, struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 9, 2**50)),
)


def package_cases(rng: random.Random) -> Iterator[Case]:
    """Packages of runtimes whose description or files are wrong."""
    facts = {"ptx_package": 1, "runtime": "gguf", "source": "0" * 64, "file": "model.gguf"}
    for number, content in enumerate(GGUFS):
        for words in (["check", "model=./p"], ["eval", "model=./p", "runtime=gguf", "eval=[latency]"]):

            def make(folder: Path, content: bytes = content) -> None:
                written("p/package.json", json.dumps(facts))(folder)
                written("p/model.gguf", content)(folder)

            yield Case(f"gguf {number} {words[0]}", [*words, *["--dry-run"][: words[0] == "eval"]], make)
        yield Case(f"gguf file {number}", ["check", "model=./x.gguf"], written("x.gguf", content))
    contents = [*ODD_BYTES[:12]]
    contents += [json.dumps({**facts, key: value}).encode() for key in facts for value in rng.sample(POOL, 4)]
    for number, content in enumerate(contents):

        def described(folder: Path, content: bytes = content) -> None:
            written("p/package.json", content)(folder)
            written("p/model.gguf", GGUFS[2])(folder)

        words = rng.choice(
            [
                ["check", "model=./p"],
                ["eval", "model=./p", "runtime=gguf", "eval=[latency]", "--dry-run"],
                ["eval", "model=./p", "eval=[latency]", "--dry-run"],
                ["train", "model=./p", "method=sft", "data=tiny_messages", "--dry-run"],
            ]
        )
        yield Case(f"package {number} {words[0]}", words, described)


def reader_cases(rng: random.Random) -> Iterator[Case]:
    """Gates and definitions of reports."""
    gate = {"quality": {"metric": "bench/mean", "at_least": 0.4, "versus": "", "decide": "value", "why": "x"}}
    shown = {"title": "t", "headline": "bench/mean", "metrics": ["bench/*"], "axes": ["size/bytes_on_disk"]}
    shown |= {"gates": ["ship"], "sections": ["table"]}
    kinds: list[tuple[str, dict[str, Any], list[list[str]]]] = [
        (
            "g.yaml",
            gate,
            [["gate", "s", "--out=o", "gate=./g.yaml"], ["report", "s", "--out=o", "--gate=./g.yaml"]],
        ),
        ("d.yaml", shown, [["report", "s", "--out=o", "--definition=./d.yaml"]]),
    ]
    for file, good, commands in kinds:
        contents: list[bytes] = [changed(json.dumps(good), rng)[0] for _ in range(25)]
        contents += [text.encode() for text in ODD_YAML]
        for number, content in enumerate(contents):

            def make(folder: Path, file: str = file, content: bytes = content) -> None:
                good_records(folder)
                written(file, content)(folder)

            yield Case(f"{file} {number}", rng.choice(commands), make, codes=(0, 1, 2, 3))
        for kind in SPECIAL:

            def odd(folder: Path, file: str = file, kind: str = kind) -> None:
                good_records(folder)
                special(file, kind)(folder)

            yield Case(f"{file} {kind}", rng.choice(commands), odd, file[:1], (2,))
    words = ("gate.x", "gate.quality.at_least=nan", "gate=ship gate=ship", "gate.p95.at_most=", "gate=[ship]")
    for word in (*words, "gate.p95.at_most=1e999", "gate=../x", "gate=", "gate.a.b.c=1", "other=1"):
        yield Case(
            f"gate {word}", ["gate", "s", "--out=o", "gate=ship", word], good_records, codes=(0, 1, 2, 3)
        )
    for word in (
        "--against=x",
        "--against=",
        "--rows=0",
        "--rows=nan",
        "--rows=1e9",
        "--title=\udcff",
        "--to=/dev/null",
    ):
        yield Case(f"report {word[:20]!r}", ["report", "s", "--out=o", word], good_records)


#: what a part of a search's space may be instead of a distribution
SPACES: tuple[Any, ...] = (
    *("interval(1,0)", "interval(nan,1)", "interval(0,inf)", "interval(1)", "interval()", "interval(a,b)"),
    *("tag(log, interval(0,1))", "tag(log, interval(-1,1))", "tag(x, interval(0,1))", "tag(", "choice()"),
    *(
        "choice(1)",
        "choice(a,a)",
        "choice([],[[]])",
        "choice({a: 1})",
        "range(0,1)",
        "range(1,0)",
        "range(0,1,0)",
    ),
    *("range(0,1000000000000)", "range(0,1,-1)", "shuffle(1,2)", "sort(2,1)", "glob(*)", "extend_list(1)"),
    *(
        "interval(0,1) interval(0,1)",
        "${x}",
        "choice(${oc.env:HOME})",
        "1,2,3",
        "interval(1,1)",
        "'interval(0,1)'",
    ),
)


def search_cases(rng: random.Random) -> Iterator[Case]:
    """The ``search:`` part of a sweep file."""
    good: dict[str, Any] = {
        "trials": 2,
        "sampler": "random",
        "seeds": [0, 1],
        "startup": 1,
        "space": {"method.learning_rate": "tag(log, interval(1e-5, 1e-3))"},
        "objectives": {"bench/mean": "maximize"},
        "early_stopping": {"metric": "loss", "goal": "minimize", "first": 2, "factor": 2},
    }
    overrides = ["model=tiny", "data=./x.jsonl", "method=sft", "eval=[bench]"]

    def case(name: str, search: Any) -> Case:
        def make(folder: Path) -> None:
            ROWS(folder)
            written("s.yaml", json.dumps({"verb": "train", "overrides": overrides, "search": search}))(folder)

        return Case(f"search {name}", ["sweep", "s.yaml", "--dry-run"], make)

    for value in (*SPACES, *POOL[::4]):
        yield case(f"space {str(value)[:24]}", {**good, "space": {"method.learning_rate": value}})
    for key in (
        "",
        "x",
        "method",
        "method.nothing",
        "compress.gptq.bits",
        "../x",
        "seed",
        "search.trials",
        "out",
    ):
        yield case(f"of {key}", {**good, "space": {key: "interval(0,1)"}})
    for key in (*good, "gate", "population", "seed"):
        for value in rng.sample(POOL, 3):
            yield case(f"{key}={str(value)[:9]}", {**good, key: value})
    for value in rng.sample(POOL, 4):
        yield case(f"goal {str(value)[:9]}", {**good, "objectives": {"bench/mean": value}})
    for key in ("metric", "goal", "first", "factor", "x"):
        for value in rng.sample(POOL, 2):
            stopping = {**good["early_stopping"], key: value}
            yield case(f"early_stopping.{key}={str(value)[:9]}", {**good, "early_stopping": stopping})


def preset_cases(rng: random.Random) -> Iterator[Case]:
    """Presets of the groups that the other module leaves out, with one wrong value."""
    groups: list[tuple[str, dict[str, Any], list[str]]] = [
        (
            "eval",
            {"defaults": ["bench"], "limit": 2, "tasks": ["tiny_answers"]},
            ["eval", "model=tiny", "eval=[mine]"],
        ),
        ("runtime", {"defaults": ["hf"]}, ["eval", "model=tiny", "runtime=mine", "eval=[latency]"]),
        ("data", {"defaults": ["tiny_messages"]}, ["train", "method=sft", "data=mine"]),
        (
            "compress",
            {"defaults": ["gptq"], "bits": 4, "skip": ["lm_head"]},
            ["compress", "compress=[mine]", "data=tiny"],
        ),
        ("lora", {"defaults": ["lora"], "r": 4}, ["train", "method=sft", "lora=mine", "data=tiny_messages"]),
        ("make", {"defaults": ["sample"], "n": 2}, ["make", "make=mine", "model=tiny", "data=tiny_prompts"]),
    ]
    for group, good, words in groups:
        contents = [changed(json.dumps(good), rng)[0] for _ in range(6)]
        contents += [text.encode() for text in rng.sample(ODD_YAML, 5)]
        for number, content in enumerate(contents):
            file = f"conf/{group}/mine.yaml"
            yield Case(f"{file} {number}", [*words, "--dry-run"], written(file, content))


def foreign_cases(rng: random.Random) -> Iterator[Case]:
    """Configurations of Axolotl and LLaMA-Factory."""
    axolotl = {"base_model": "x/y", "datasets": [{"path": "a/b", "type": "chat_template", "split": "train"}]}
    axolotl |= {
        "adapter": "lora",
        "lora_r": 8,
        "lora_target_modules": ["q_proj"],
        "sequence_len": 512,
        "rl": "dpo",
    }
    axolotl |= {
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "learning_rate": 1e-4,
        "num_epochs": 1,
    }
    factory = {
        "model_name_or_path": "x/y",
        "stage": "sft",
        "do_train": True,
        "dataset": "a,b",
        "template": "qwen",
    }
    factory |= {
        "finetuning_type": "lora",
        "lora_rank": 8,
        "cutoff_len": 512,
        "learning_rate": "1e-4",
        "dataset_dir": ".",
    }
    for kind, good in (("axolotl", axolotl), ("factory", factory)):
        for number in range(20):
            content, where = changed(json.dumps(good), rng)
            yield Case(f"import {kind} {number} at {where}", ["import", "f.yml"], written("f.yml", content))
    for number, text in enumerate(ODD_YAML):
        yield Case(f"import {number}", ["import", "f.yml"], written("f.yml", text), "f.yml", (2,))
    for kind in SPECIAL:
        yield Case(f"import {kind}", ["import", "f.yml"], special("f.yml", kind), "f.yml", (2,))
    for content in (*ODD_BYTES[:9], b'{"a": 3}', b'{"a": {"file_name": 3, "columns": []}, "b": null}'):

        def make(folder: Path, content: bytes = content) -> None:
            written("f.yml", json.dumps(factory))(folder)
            written("dataset_info.json", content)(folder)

        yield Case(f"import dataset_info {content[:9]!r}", ["import", "f.yml"], make)


#: verb -> words that are right, one of which is replaced
ARGUMENTS: tuple[list[str], ...] = (
    ["data", "convert", "data=./x.jsonl", "to=completions", "out=./y.jsonl"],
    ["data", "split", "data=./x.jsonl", "test=0.5", "out=./y"],
    ["data", "select", "data=./x.jsonl", "by=chance", "keep=0.5", "out=./y.jsonl"],
    ["data", "pairs", "data=./x.jsonl", "score=rating", "margin=1", "out=./y.jsonl"],
    ["advise", "data=./x.jsonl", "goal=small"],
    ["check", "data=./x.jsonl", "method=sft", "model=tiny", "--show=1"],
    [
        "make",
        "make=sample",
        "make.n=2",
        "make.temperature=1.0",
        "model=tiny",
        "data=tiny_prompts",
        "--dry-run",
    ],
    ["make", "make=select", "make.by=length", "data=./x.jsonl", "model=tiny", "--dry-run"],
    ["mend", "./m", "out=./n"],
    ["export", "model=tiny", "runtime=onnx", "runtime.precision=int4", "--dry-run"],
    ["runs", "show", "s", "--out=o"],
    ["store", "ls", "--out=o", "--sort=size"],
    ["store", "gc", "--out=o", "--older-than=1d"],
    ["docs", "store"],
    ["plugins", "new", "mine", "--kind=scorer"],
)
VALUES = (
    "",
    "x",
    "-1",
    "nan",
    "1e999",
    "9" * 400,
    "[]",
    "{}",
    "[a",
    "null",
    "../../../x",
    "/dev/null",
    "\udcff",
    "a\nb",
)


def argument_cases(rng: random.Random) -> Iterator[Case]:
    """Words of the verbs beside train, eval and compress: one is replaced, doubled, left out or added."""

    def make(folder: Path) -> None:
        ROWS(folder)
        good_records(folder)
        model_folder(folder)

    for words in ARGUMENTS:
        for _ in range(9):
            odd, at = list(words), rng.randrange(1, len(words))
            key, _, _ = odd[at].partition("=")
            way = rng.choice(["value", "value", "value", "word", "double", "without", "more"])
            if way == "value":
                odd[at] = f"{key}={rng.choice(VALUES)}" if "=" in odd[at] else rng.choice(VALUES)
            elif way == "word":
                odd[at] = rng.choice(["=", "x=1", "--nothing", "a.b.c=1", "[" * 500, "$(id)", "*"])
            elif way == "double":
                odd.insert(at, odd[at])
            elif way == "without":
                del odd[at]
            else:
                odd.append(rng.choice(["x=1", "data.columns=3", "data.bad=x", "out=/dev/null", "--json"]))
            if "--help" in odd or (odd[0] == "export" and "--dry-run" not in odd):
                continue
            yield Case(f"words {' '.join(odd)[:90]!r}", odd, make, codes=CODES)


KINDS: tuple[Callable[[random.Random], Iterator[Case]], ...] = (
    environment_cases,
    adapter_cases,
    template_cases,
    tokenizer_cases,
    package_cases,
    reader_cases,
    search_cases,
    preset_cases,
    foreign_cases,
    argument_cases,
)
