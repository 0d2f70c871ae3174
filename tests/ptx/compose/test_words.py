"""The words of a command line as Hydra reads them."""

import pytest
from hydra.errors import HydraException

from ptx.compose.words import holds_list, parse
from ptx.hooks.host import get_host


@pytest.mark.parametrize(
    "name",
    [
        "epoch=9-step=100.jsonl",
        "übung.jsonl",
        "数据.jsonl",
        "plain name (1).jsonl",
        "it's [old], really.jsonl",
        "a,b.jsonl",
        "{x}.jsonl",
        "a(b.jsonl",
        "back\\slash.jsonl",
        "100%.jsonl",
        'quo"te.jsonl',
    ],
)
def test_the_path_of_a_file_is_one_text_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("{}")
    assert parse(get_host(), f"data=./{name}", multirun=False).value() == f"./{name}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("out=./größe", "./größe"),
        ("name=a=b", "a=b"),
        ("eval.perplexity.texts=[./a=1.txt,./ü.txt]", ["./a=1.txt", "./ü.txt"]),
        ("compress=[]", []),
        ("method.args={a:1,b:[x,y]}", {"a": 1, "b": ["x", "y"]}),
        ("seed=null", None),
        ("method.lora.targets=q_proj,v_proj", ["q_proj", "v_proj"]),
        ("method.lora.targets=q_proj", ["q_proj"]),
        ("lora.targets=[q_proj,v_proj]", ["q_proj", "v_proj"]),
        ("eval.bench.tasks=./a.yaml,./b c.yaml", ["./a.yaml", "./b c.yaml"]),
        ("eval=bench,latency", ["bench", "latency"]),
        ("recipe.steps.first.lora.targets=q_proj", ["q_proj"]),
        ("recipe.steps.first.nosuch=q_proj", "q_proj"),
    ],
)
def test_a_value_is_read_as_it_was_meant(word, value):
    assert parse(get_host(), word, multirun=False).value() == value


def test_paths_of_a_multirun_are_swept_one_by_one():
    override = parse(get_host(), "model=./a=1,./ü", multirun=True)
    assert list(override.sweep_string_iterator()) == ["'./a=1'", "'./ü'"]


def test_a_group_of_several_is_swept_in_a_multirun_and_a_field_of_a_list_is_not():
    assert parse(get_host(), "compress=gptq,sparsegpt", multirun=True).is_sweep_override()
    assert not parse(get_host(), "method.lora.targets=q_proj,v_proj", multirun=True).is_sweep_override()
    assert parse(get_host(), "method.lora.targets=[q_proj],[v_proj]", multirun=True).is_sweep_override()


@pytest.mark.parametrize("word", ["method", "method.rate=(", "a=[1", 'a="('])
def test_a_word_without_an_end_cannot_be_read(word):
    with pytest.raises(HydraException):
        parse(get_host(), word, multirun=False)


def test_fields_that_hold_lists_are_known_by_their_types():
    host = get_host()
    assert holds_list(host, "method.lora.targets")
    assert holds_list(host, "eval.perplexity.texts")
    assert not holds_list(host, "method.learning_rate")
    assert not holds_list(host, "name")
    assert not holds_list(host, "eval.nosuch.texts")
