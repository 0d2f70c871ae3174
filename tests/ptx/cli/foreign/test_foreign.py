"""ptx import: the command, and files that are of no tool."""

import pytest

from ptx.cli import main


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(text):
        (tmp_path / "their.yaml").write_text(text)
        capsys.readouterr()
        code = main(["import", "their.yaml"])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_the_command_stands_on_a_line_of_its_own_above_what_is_to_be_known(said):
    code, text = said("base_model: org/name\ndatasets: [{path: org/data}]\nlearning_rate: 1e-4\nfoo: 3\n")
    lines = text.splitlines()
    assert (code, lines[0]) == (0, "# Axolotl")
    assert lines[1].startswith("ptx train method=sft model=org/name data=org/data ")
    assert lines[-2:] == ["no counterpart:", "  foo: 3"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: 1", "is of no tool that is known; a file of one has (Axolotl: base_model"),
        ("[1, 2]", "holds no settings"),
        ("base_model: x\n", "datasets names no path"),
        ("datasets: [{path: x}]\n", "base_model is missing"),
        ("stage: xyz\nmodel_name_or_path: a\ndataset: b\n", "stage: xyz is no stage that is known"),
        ("model_name_or_path: a\n", "dataset is missing"),
        ("base_model: x\ndatasets: [{path: y}]\nmicro_batch_size: many\n", "must be whole numbers"),
        ("base_model: x\ndatasets: [{path: y}]\nmicro_batch_size: .nan\n", "must be whole numbers"),
        ("base_model: x\ndatasets: [{path: y}]\nspecial_tokens: 3\n", "special_tokens: TypeError"),
        ("base_model: a/x\ndatasets: [{path: a/y}]\nlearning_rate: fast\n", "method.learning_rate"),
        ("base_model: !!python/object:os.system x\n", "their.yaml"),
    ],
)
def test_a_file_that_cannot_be_translated_is_explained(said, text, what):
    code, told = said(text)
    assert (code, what in told) == (2, True), told
