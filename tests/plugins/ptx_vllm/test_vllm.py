import sys

import pytest

from ptx import RunConfig, get_host
from ptx.plan.keys import Ingredients
from ptx.testing import check_plugin
from ptx_hf import HF
from ptx_vllm import Vllm


def test_the_plugin_conforms():
    check_plugin("ptx_vllm")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"engine": "http"}, "runtime.engine must be one of"),
        ({"dtype": "int8"}, "runtime.dtype must be one of"),
        ({"gpu_memory_utilization": 1.5}, "must be in"),
        ({"tensor_parallel_size": 0}, "at least 1"),
        ({"adapter": "x"}, "not among runtime.adapters"),
        ({"args": {"model": "x"}}, "is for ptx to set"),
    ],
)
def test_values_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        Vllm(**settings)


def test_the_environment_of_the_server_is_in_the_key_of_what_is_measured(tmp_path):
    runtime = Vllm(python=sys.executable)
    found = Ingredients(get_host(), RunConfig(runtime=runtime), "cpu").of("load", runtime)
    assert found["served"]["distributions"]["torch"]
    assert "served" not in Ingredients(get_host(), RunConfig(runtime=HF()), "cpu").of("load", HF())


def test_the_content_of_the_adapter_that_answers_is_in_the_key_of_what_is_measured(tmp_path):
    def key(**settings):
        runtime = Vllm(
            engine="offline", adapters={"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}, **settings
        )
        return Ingredients(get_host(), RunConfig(runtime=runtime), "cpu").of("load", runtime)

    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text("{}")
    before = key(adapter="a"), key()
    (tmp_path / "a" / "adapter_config.json").write_text('{"r": 2}')
    assert key(adapter="a") != before[0]
    assert key() == before[1]
