"""Definitions of tasks, read without lm-eval."""

import pytest

from ptx.guard.reading import FileError
from ptx_bench.definitions import definitions, files_behind, split


def test_a_file_that_only_others_include_is_no_task(tmp_path):
    (tmp_path / "_base.yaml").write_text("output_type: generate_until\n")
    (tmp_path / "a.yaml").write_text("include: _base.yaml\ntask: a\n")
    (one,) = definitions(tmp_path)
    assert (one.name, one.read_from, one.config["output_type"]) == (
        "a",
        (tmp_path / "_base.yaml",),
        "generate_until",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("task: 3", "task must be a text or list, got 3"),
        ("task: a\nmetadata: x", "metadata must be a mapping, got 'x'"),
        ("task: a\nmetric_list: {a: 1}", "metric_list must be a list"),
        ("task: a\ninclude: [3]", "include must name files, got 3"),
        ("task: a\ninclude: t.yaml", "t.yaml: it includes itself"),
        ("- task", "it holds a list, not a task definition"),
    ],
)
def test_a_field_of_another_kind_is_named(tmp_path, text, fault):
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(FileError, match=fault):
        definitions(tmp_path)


def test_an_include_and_the_python_beside_a_task_are_behind_it(tmp_path):
    (tmp_path / "utils.py").write_text("")
    (tmp_path / "a.yaml").write_text("task: a\nprocess_docs: !function utils.f\ninclude: b.txt\n")
    (tmp_path / "b.txt").write_text("test_split: test\n")
    found = files_behind([str(tmp_path / "a.yaml")])
    assert found == [tmp_path / "a.yaml", tmp_path / "b.txt", tmp_path / "utils.py"]


def test_paths_and_names_are_told_apart():
    assert split(["./a", "arc_easy", "x.yaml"])[1] == ["arc_easy"]
