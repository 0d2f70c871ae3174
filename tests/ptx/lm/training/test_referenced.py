"""Methods with a reference name the model that it is, and count its copy in memory."""

import pytest

from ptx import Lora, SettingError
from ptx_dpo import DPO
from ptx_kto import KTO


@pytest.mark.parametrize("kind", [DPO, KTO])
def test_a_reference_is_a_further_model_unless_it_is_the_step_s_own_input(kind):
    assert kind().models({}) == {}
    assert kind(reference="start").models({}) == {"reference": "start"}


@pytest.mark.parametrize("kind", [DPO, KTO])
def test_a_copy_is_in_memory_only_without_the_store_and_without_an_adapter(kind):
    assert [kind().copies, kind(cache_reference=False).copies] == [0, 1]
    assert kind(cache_reference=False, lora=Lora()).copies == 0


@pytest.mark.parametrize("kind", [DPO, KTO])
def test_a_length_of_nothing_is_refused(kind):
    with pytest.raises(SettingError, match=r"method\.max_length must be positive, got 0"):
        kind(max_length=0)
