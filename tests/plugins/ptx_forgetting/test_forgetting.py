from collections import Counter

import pytest

from ptx import RunConfig
from ptx.lm.evaluation.texts import read
from ptx.testing import check_plugin
from ptx_forgetting import EMBEDDED, Forgetting, ptx_validate


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_forgetting")


def test_the_embedded_text_is_of_many_kinds_and_says_nothing_twice():
    rows = read(str(EMBEDDED), block=500)
    assert len(rows) == len({row.item for row in rows}) == 76
    assert min(Counter(row.segments["domain"] for row in rows).values()) >= 8
    assert set(Counter(row.segments["language"] for row in rows)) == {"en", "de", "es", "fr"}
    assert Forgetting().inputs() == [EMBEDDED]
    assert ptx_validate(RunConfig(eval={"forgetting": Forgetting()})) == []


def test_what_is_wrong_is_said():
    (problem,) = ptx_validate(RunConfig(eval={"forgetting": Forgetting(["none.txt"])}))
    assert str(problem) == "there is no text none.txt; eval.forgetting.texts=[./FILE.txt]"
    with pytest.raises(
        ValueError,
        match=r"eval\.forgetting\.limit must be at least 2, got 1; try eval\.forgetting\.limit=200",
    ):
        Forgetting(limit=1)
