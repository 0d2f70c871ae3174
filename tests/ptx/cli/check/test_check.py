# ruff: noqa: RUF001 (Turkish letters)
"""``ptx check``: what a model or data value is, what it can be used for, and what is wrong with it."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import ptx_dpo
import ptx_gguf
import ptx_judge
import ptx_kto
import ptx_quanto
import ptx_sft
import ptx_tiny
from ptx.cli.console import PLANNING
from tests.architectures import build


@pytest.fixture(autouse=True)
def host(toy, host_with, monkeypatch):
    """A host with the model that a configuration names by default."""
    made = host_with(toy=toy, tiny=ptx_tiny, kto=ptx_kto, sft=ptx_sft, dpo=ptx_dpo)
    for verb in ("check", "train"):
        monkeypatch.setattr(f"ptx.cli.{verb}.get_host", lambda: made)


def test_a_dataset_is_described_with_its_shapes_and_the_choices_that_it_fits(ptx):
    code, out, _ = ptx("check", "data=./text.jsonl")
    assert code == 0
    said = [line.strip() for line in out.splitlines()]
    assert said[1].startswith("text: 5 rows")
    assert said[2].startswith("fits: method=toy, method=other")
    assert said[3] == 'first: {"text": "line 0"}'


def test_a_model_is_described_by_its_headers(ptx):
    code, out, _ = ptx("check", "model=./model")
    assert code == 0
    assert "LlamaForCausalLM, 1 parameters, float32" in out
    assert "chat template: no (train on text or prompt/completion data)" in out


def test_a_row_that_cannot_be_used_is_named_with_exit_code_two(ptx, desk):
    (desk / "pairs.jsonl").write_text(
        json.dumps({"prompt": "a", "chosen": "b", "rejected": "b"}) + "\n" + '{"prompt": \n'
    )
    code, _, err = ptx("check", "data=./pairs.jsonl")
    assert code == 2
    assert "line 2" in err


def test_a_folder_that_is_no_model_is_refused(ptx, desk):
    (desk / "empty").mkdir()
    code, _, err = ptx("check", "model=./empty")
    assert code == 2
    assert "config.json" in err


def test_without_a_value_it_says_what_to_give(ptx):
    code, _, err = ptx("check", "seed=1")
    assert (code, err.strip()) == (2, "ptx: nothing to check; give data=./my.jsonl or model=./folder")


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


LATIN = "prompt,completion\n" + "Fransa'nın başkenti?,Şehir güzel.\n" * 9
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
#: files that are refused, with what was typed: every command that the answer gives is executed
REFUSED = {
    "columns of other names": ("my.jsonl", lines({"q": "a?", "a": "b."}), []),
    "names with signs": ("my.jsonl", lines({"User question?": "a?", 'die "Größe"': "b."}), []),
    "one column": ("my.jsonl", lines({"story": "Once."}), []),
    "a typing error": ("my.jsonl", lines({"promt": "a?", "completion": "b."}), []),
    "capitals": ("my.jsonl", lines({"Prompt": "a?", "Completion": "b."}), []),
    "two answers": ("my.jsonl", lines({"problem": "a?", "solution": "b.", "answer": "c"}), []),
    "an unknown shape": ("my.jsonl", lines({"prompt": "a?", "completion": "b."}), ["data.shape=completion"]),
    "a label that is none": ("my.jsonl", lines({"prompt": "a?", "completion": "b.", "label": "meh"}), []),
    "texts as messages": ("my.jsonl", lines({"messages": "Once."}), []),
    "a table without a head": ("my.csv", b"What is 2 + 2?,4\nWhat is 3 + 3?,6\n", []),
    "another separator": ("my.csv", b"What is 2 + 2?;4\nWhat is 3 + 3?;6\n", []),
    "a column of pictures": (
        "my.jsonl",
        lines({"prompt": "<image> a?", "completion": "b.", "image": "x.png"}),
        [],
    ),
    "weights": ("my.jsonl", lines({"prompt": "a?", "completion": "b.", "weight": 0.5}), []),
    "a compression alone": ("my.gz", gzip.compress(lines({"text": "Once."})), []),
    "one line in another encoding": (
        "my.jsonl",
        lines({"text": "a"}) + '{"text": "ö"}\n'.encode() * 3 + b'{"text": "sch\xf6n"}\n',
        [],
    ),
    "an encoding that is not clear": ("a b.csv", LATIN.encode("cp1254"), []),
    "several files": ("folder/b.jsonl", lines({"text": "Once."}), []),
    "a method that needs a label": (
        "my.jsonl",
        lines(*[{"prompt": f"{n}?", "completion": f"{n}.", "opinion": n % 2} for n in range(6)]),
        ["method=kto"],
    ),
}


def commands_of(message):
    """The ways out that a message gives: words for the command line, or a command of the shell."""
    found = []
    for part in re.split(r" or (?=data\.|iconv)|\n", message):
        if shell := re.search(r"\b(?:iconv|mv|sed) .*?(?= \(names:|$)", part):
            found.append(shell.group())
        elif words := [word for word in _words(part) if re.match(r"data(\.\w+)*=", word)]:
            found.append(words)
    return found


def _words(text):
    """Its words, as a shell would hand them on; apostrophes of prose are no quotes."""
    return [word for piece in re.findall(r"'data\.[^']*'|\S+", text) for word in _shell(piece)]


def _shell(piece):
    return shlex.split(piece) if piece.startswith("'data.") else [piece.rstrip(",.;:)")]


@pytest.mark.parametrize("name", REFUSED)
def test_every_command_of_an_answer_makes_the_data_pass(ptx, desk, name):
    file, content, typed = REFUSED[name]
    path = desk / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    if "/" in file:
        path.with_name("c.jsonl").write_bytes(content)
    given = [f"data=./{file.partition('/')[0]}"] if "/" in file else [f'data="./{file}"']
    code, out, err = ptx("check", *given, *typed)
    assert code == 2, out
    ways = commands_of(err.partition("; ")[2] if "did you mean" not in err else err)
    assert ways, err
    for way in ways:
        if isinstance(way, str):
            assert_passes_after(way, ptx, desk, path)
        else:
            parts = {word.partition("=")[0] for word in way}
            kept = [word for word in (*given, *typed) if word.partition("=")[0] not in parts]
            assert ptx("check", *kept, *way)[0] == 0, (way, err)


def assert_passes_after(command, ptx, desk, path):
    before, content = set(desk.rglob("*")), path.read_bytes()
    subprocess.run(["bash", "-c", command], check=False, cwd=desk, capture_output=True)
    made = [file for file in set(desk.rglob("*")) - before if file.is_file()] or [path]
    assert ptx("check", f'data="{Path(made[0])}"')[0] == 0, command
    made[0].unlink()
    path.write_bytes(content)


def thumbs(count, label=lambda number: number % 2 == 0):
    return lines(
        *[{"messages": turns(f"Add {n} and 1.", f"{n + 1}."), "label": label(n)} for n in range(count)]
    )


def turns(asked, said):
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]


def test_a_method_is_checked_against_data_and_model_as_the_plan_does(ptx, desk):
    (desk / "my.jsonl").write_bytes(thumbs(6))
    code, out, err = ptx("check", "model=tiny", "data=./my.jsonl", "method=kto")
    assert (code, err) == (0, "")
    assert "my.jsonl on model:\n  thumbs: 6 examples, the longest with" in out
    code, _, err = ptx("check", "model=tiny", "data=./my.jsonl", "method=sft")
    assert code == 2
    assert "method=sft needs messages" in err
    assert "which fits method=kto" in err


def test_rows_that_a_method_would_cut_are_named(ptx, desk):
    (desk / "my.jsonl").write_bytes(lines({"messages": turns("Add 1 and 1. " * 9, "2.")}))
    code, out, _ = ptx("check", "model=tiny", "data=./my.jsonl", "method=sft", "method.max_length=256")
    assert code == 0
    assert "method.max_length is 256" in out
    code, _, err = ptx("check", "model=tiny", "data=./my.jsonl", "method=sft", "method.max_length=20")
    assert code == 2
    assert "file my.jsonl line 1: the prompt alone fills method.max_length (20 tokens)" in err
    code, _, err = ptx("check", "model=tiny", "data=./my.jsonl", "method=sft", "method.max_length=20000")
    assert "more than the model's context" in err


#: files with faults: the check and the plan refuse the same rows in the same words
FAULTS = {
    "labels of a scale": lines(*[{"prompt": "a?", "completion": "b.", "label": n} for n in range(1, 5)]),
    "one label": thumbs(4, lambda _: 1),
    "a number": lines({"prompt": "a?", "completion": 7}),
    "NaN": b'{"prompt": "a?", "completion": NaN}\n',
    "half an emoji": b'{"prompt": "a?", "completion": "\\ud83d"}\n',
    "a role that is none": lines({"messages": [{"role": "wizard", "content": "a"}, *turns("a", "b")]}),
    "not JSON": b'{"prompt": "a?", "completion": b}\n',
    "a key twice": b'{"prompt": "a?", "prompt": "c?", "completion": "b"}\n',
    "another encoding": b'{"prompt": "hei\xe1t m\x81de", "completion": "b"}\n',
    "nothing": b"",
    "NUL": b"\x00" * 100,
    "identical sides": lines({"prompt": "a?", "chosen": "b", "rejected": "b"}),
    "unknown columns": lines({"q": "a?", "z": "b"}),
}
NEEDS = {"labels of a scale": "kto", "one label": "kto", "identical sides": "dpo"}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_check_refuses_the_plan_refuses_in_the_same_words(ptx, desk, name):
    (desk / "my.jsonl").write_bytes(FAULTS[name])
    method = f"method={NEEDS.get(name, 'sft')}"
    code, out, checked = ptx("check", "data=./my.jsonl")
    planned, _, said = ptx("train", "--dry-run", method, "model=tiny", "data=./my.jsonl", "eval=[]")
    both, _, together = ptx("check", "model=tiny", "data=./my.jsonl", method)
    assert (code, planned, both) == (2, 2, 2), (out, said)
    assert said == f"ptx: {PLANNING}\n{checked}"
    assert checked == together
    assert len(checked.splitlines()) <= 3


SOUND = {
    "tables": (b"prompt;completion\nWie, bitte?;So.\nUnd dann?;Ja.\n", "csv", "sft"),
    "labels": (thumbs(6, lambda n: n % 2), "jsonl", "kto"),
    "signs": (thumbs(6, lambda n: 1 if n % 2 else -1), "jsonl", "kto"),
    "words": (thumbs(6, lambda n: "yes" if n % 2 else "no"), "jsonl", "kto"),
    "layout of datasets": (
        lines({"messages": {"role": ["user", "assistant"], "content": ["Add 1 and 1.", "2."]}}),
        "jsonl",
        "sft",
    ),
    "compressed": (gzip.compress(lines({"prompt": "a?", "completion": "b."})), "jsonl.gz", "sft"),
    "UTF-16": ("prompt,completion\nheißt?,müde.\n".encode("utf-16"), "csv", "sft"),
    "a mark": (b"\xef\xbb\xbf" + lines({"prompt": "a?", "completion": "b."}), "jsonl", "sft"),
    "a list": (json.dumps([{"prompt": "a?", "completion": "b."}]).encode(), "jsonl", "sft"),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_the_check_accepts_the_plan_accepts(ptx, desk, name):
    content, ending, method = SOUND[name]
    (desk / f"my.{ending}").write_bytes(content)
    words = [f"data=./my.{ending}", "model=tiny", f"method={method}"]
    assert ptx("check", words[0])[0] == 0
    assert ptx("check", *words)[0] == 0
    assert ptx("train", "--dry-run", *words, "eval=[]")[0] == 0


def test_a_mistake_of_every_row_does_not_fill_the_screen(ptx, desk):
    rows = [{"prompt": n, "completion": [n], "chosen": n, "rejected": {"a": n}} for n in range(4885)]
    (desk / "my.jsonl").write_bytes(lines(*rows))
    code, out, err = ptx("check", "data=./my.jsonl")
    assert code == 2
    assert len((out + err).splitlines()) < 20
    assert "(and 4884 more of 4885 rows: lines 2, 3, 4, ...)" in err


def test_a_shape_that_no_row_gives_is_no_fault_of_the_file(ptx, desk):
    rows = [{"prompt": f"Question {n}?", "harmful": n % 2 == 0} for n in range(6)]
    (desk / "my.jsonl").write_bytes(lines(*rows))
    code, out, err = ptx("check", "data=./my.jsonl")
    assert (code, err) == (0, "")
    assert "safety: 6 rows" in out
    assert "messages" not in out


STRICT = (
    "{% for message in messages %}{% if message.role == 'system' %}{{ raise_exception('no system, please') }}"
    "{% endif %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
)


def test_the_row_that_a_chat_template_refuses_is_named(ptx, desk):
    model = Path(ptx_tiny.__file__).parent / "model"
    folder = desk / "strict"
    shutil.copytree(model, folder)
    (folder / "chat_template.jinja").write_text(STRICT)
    asked = {"messages": turns("Add 1 and 1.", "2.")}
    system = {"messages": [{"role": "system", "content": "Be brief."}, *turns("Add 1 and 2.", "3.")]}
    (desk / "my.jsonl").write_bytes(lines(asked, system, asked, system))
    code, _, err = ptx("check", "model=./strict", "data=./my.jsonl")
    assert code == 2
    assert "file my.jsonl line 2: the chat template" in err
    assert "no system, please" in err
    assert "(and 1 more of 4 rows: line 4)" in err
    (desk / "my.jsonl").write_bytes(lines(asked))
    assert ptx("check", "model=./strict", "data=./my.jsonl")[0] == 0


def test_what_a_runtime_cannot_serve_and_a_compressor_cannot_change_is_said_from_the_model_alone(
    ptx, desk, host_with, monkeypatch, toy
):
    made = host_with(toy=toy, tiny=ptx_tiny, sft=ptx_sft, gguf=ptx_gguf, quanto=ptx_quanto)
    monkeypatch.setattr("ptx.cli.check.get_host", lambda: made)
    folder = build("mixtral", desk / "mixtral")
    file = folder / "config.json"
    file.write_text(file.read_text().replace('"silu"', '"relu"'))
    code, _, said = ptx("check", f"model={folder}", "runtime=gguf")
    assert code == 2
    assert "runtime=gguf cannot write the activation 'relu'" in said
    code, _, said = ptx("check", f"model={folder}", "compress=[quanto]")
    assert code == 2
    assert "use compress=[gptq] or compress=[rtn]" in said
    assert "method" not in said, "nothing is to be trained"


def test_rows_that_hold_what_an_evaluator_asks_are_named_without_a_method(
    ptx, desk, host_with, monkeypatch, toy
):
    made = host_with(toy=toy, tiny=ptx_tiny, sft=ptx_sft, judge=ptx_judge)
    monkeypatch.setattr("ptx.cli.check.get_host", lambda: made)
    item = "Janet has sixteen eggs and sells nine of them for two dollars each at the market today."
    (desk / "my.jsonl").write_bytes(
        lines({"prompt": "p", "completion": "no"}, {"prompt": item, "completion": "18"})
    )
    (desk / "test.jsonl").write_bytes(lines({"prompt": item, "reference": "18"}))
    asked = ("eval=[judge]", "eval.judge.tasks=[./test.jsonl]")
    code, out, _ = ptx("check", "data=./my.jsonl", *asked)
    assert code == 0
    assert "my.jsonl line 2: holds a text of eval.judge" in out
