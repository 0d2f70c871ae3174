"""A task folder is data: what would run code in it is refused by name, or announced where it is allowed."""

import json
import re

import pytest

from ptx import StepError, identity_of
from ptx_bench import Bench
from ptx_bench.evaluate import evaluate

CODE = "import pathlib; pathlib.Path(r'{mark}').write_text('ran')\ndef process(data): return data\n"


@pytest.fixture
def hostile(write_tasks, kinds, tmp_path):
    """``hostile(extra lines)``: a task folder, and the mark that its Python file leaves when it runs."""

    def write(*lines):
        folder, mark = write_tasks(choices=kinds["choices"]), tmp_path / "mark"
        (folder / "utils.py").write_text(CODE.format(mark=mark))
        task = json.loads((folder / "choices.yaml").read_text())
        for line in lines:
            task.pop(line.partition(":")[0], None)
        text = "\n".join([*(f"{key}: {json.dumps(value)}" for key, value in task.items()), *lines])
        (folder / "choices.yaml").write_text(text)
        return folder, mark

    return write


@pytest.mark.parametrize(
    "line",
    [
        "process_docs: !function utils.process",
        "doc_to_text: !function os.system",
        "metric_list: [{metric: !function utils.process, aggregation: mean}]",
        "metric_list: [{metric: accuracy, hf_evaluate: true}]",
        "filter_list: [{name: f, filter: [{function: custom, filter_fn: !function utils.process}]}]",
        "use_prompt: promptsource:all",
        "class: !function utils.process",
    ],
)
def test_what_would_run_python_is_refused_with_its_file_and_line_of_yaml(said, hostile, line):
    folder, mark = hostile(line)
    (problem,) = said(str(folder))
    assert str(folder / "choices.yaml") in problem
    assert line.partition(":")[0] in problem
    assert "eval.bench.allow_code=true" in problem
    assert said(str(folder), allow_code=True) == []
    assert not mark.exists(), "looking at a task runs nothing"


def test_a_metric_that_is_a_path_is_no_metric_even_where_code_is_allowed(said, hostile):
    folder, _ = hostile("metric_list: [{metric: ./evil.py}]")
    assert "lm-eval knows no metric './evil.py'" in said(str(folder), allow_code=True)[0]


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [id]", "!!python/name:os.system"])
def test_other_tags_make_no_objects(said, hostile, tag):
    folder, _ = hostile(f"description: {tag}")
    assert re.search("choices.yaml: .*(tag|read)", said(str(folder))[0])


def test_an_unknown_tag_is_named(said, hostile):
    assert "lm-eval knows no tag !eval" in said(str(hostile("description: !eval 1+1")[0]))[0]


def test_code_behind_an_include_is_found_and_is_an_input_of_the_key(said, hostile, tmp_path):
    folder, _ = hostile("process_docs: !function utils.process")
    single = folder / "choices.yaml"
    (folder / "base.txt").write_text(single.read_text())
    single.write_text("include: base.txt")
    assert "process_docs: !function utils.process would run Python" in said(str(single))[0]
    inputs = Bench(tasks=[str(single)]).inputs()
    assert {folder / "base.txt", folder / "utils.py", single} <= set(inputs)


def test_a_task_that_includes_itself_is_refused(said, hostile):
    folder, _ = hostile("include: choices.yaml")
    assert "choices.yaml: it includes itself" in said(str(folder))[0]


@pytest.mark.parametrize(
    "template",
    [
        "{{ cycler.__init__.__globals__.os.popen('echo ran > MARK').read() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10000000000 }}",
    ],
)
@pytest.mark.parametrize("field", ["doc_to_text", "doc_to_target", "doc_to_choice"])
def test_a_template_reaches_neither_python_nor_the_end_of_the_memory(
    said, make_run, hostile, lm, tmp_path, field, template
):
    mark = tmp_path / "popen"
    folder, _ = hostile(f"{field}: {json.dumps(template.replace('MARK', str(mark)))}")
    assert re.search(
        f"choices.yaml: the template {field} fails: .*(unsafe|template|undef)", said(str(folder))[0]
    )
    with pytest.raises(StepError, match="template"):
        evaluate(make_run(), Bench(tasks=[str(folder)]), lm)
    assert not mark.exists()


def test_what_the_plan_did_not_see_is_refused_when_lm_eval_would_run_it(make_run, hostile, lm):
    folder, mark = hostile("process_docs: !function utils.process")
    with pytest.raises(StepError, match="would run Python of a task folder"):
        evaluate(make_run(), Bench(tasks=[str(folder)]), lm)
    assert not mark.exists()


def test_allowed_code_runs_and_is_announced(make_run, hostile, lm):
    folder, mark = hostile("process_docs: !function utils.process")
    run = make_run()
    evaluate(run, Bench(tasks=[str(folder)], allow_code=True), lm)
    assert mark.read_text() == "ran"
    assert "runs code of a task folder" in run.events.read_text()


def test_the_permission_is_in_the_key():
    assert identity_of(Bench()) != identity_of(Bench(allow_code=True))
