"""Problems before a model is loaded."""

from ptx_tiny import MODEL_FOLDER
from ptx_tools import Tools
from ptx_tools.check import problems


def test_files_replies_and_templates_are_tried_at_once(bfcl, tmp_path):
    assert problems(Tools(files=[str(bfcl)]), MODEL_FOLDER) == []
    assert "is empty" in str(problems(Tools(), MODEL_FOLDER)[0])
    found = problems(Tools(files=["./none.jsonl"], completions=str(tmp_path / "x.jsonl")), MODEL_FOLDER)
    assert ["no file or folder none.jsonl" in found[0].what, "no file" in found[1].what] == [True, True]
    (one,) = problems(Tools(files=[str(bfcl)], prompt="template"), MODEL_FOLDER)
    assert "writes no tools" in one.what
    assert one.fix == "try eval.tools.prompt=text"
