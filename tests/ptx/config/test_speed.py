"""speed=: fast is what a method has when nothing is typed, exact what TRL does."""

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.config import Exact, Speed, identity_of
from ptx.hooks.host import get_host

WORDS = ["model=tiny", "data=tiny", "method=sft", "eval=[]"]


def speed_of(*words):
    return compose_jobs(get_host(), "train", [*WORDS, *words])[0].config.method.speed


def test_a_typed_fast_is_the_default_and_exact_is_another_result():
    assert speed_of() == speed_of("speed=fast") == Speed()
    assert speed_of("speed=exact") == Exact()
    assert identity_of(Exact()) != identity_of(Speed())


def test_a_single_setting_can_be_typed_on_top():
    assert speed_of("speed=fast", "method.speed.pass_tokens=0") == Speed(pass_tokens=0)
    assert speed_of("method.speed.pass_tokens=0") == Speed(pass_tokens=0)
    assert speed_of("speed=exact", "method.speed.short_head=true") == Exact(short_head=True)


def test_passes_and_batches_have_a_default_for_each_device_and_none_with_exact():
    assert Speed().tokens_of_a_pass("cpu") < Speed().tokens_of_a_pass("cuda")
    assert Speed().tokens_of_a_batch("cpu") < Speed().tokens_of_a_batch("cuda")
    assert Speed(batch_tokens=7).tokens_of_a_batch("cuda") == 7
    assert Exact().tokens_of_a_pass("cuda") == Exact().tokens_of_a_batch("cuda") == 0


def test_checkpointing_is_decided_once_and_changes_no_key():
    assert Speed().decided(checkpointing=True).checkpointing == "always"
    assert Speed().decided(checkpointing=False).checkpointing == "never"
    assert Exact().decided(checkpointing=False) == Exact()
    assert identity_of(Speed(checkpointing="never")) == identity_of(Speed())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"checkpointing": "sometimes"}, r"checkpointing must be auto, always, never, got 'sometimes'"),
        ({"pass_tokens": -1}, r"method\.speed\.pass_tokens must be at least 0, got -1"),
        ({"batch_tokens": -5}, r"method\.speed\.batch_tokens must be at least 0, got -5"),
    ],
)
def test_wrong_values_are_refused_with_what_to_type(settings, message):
    with pytest.raises(ValueError, match=message):
        Speed(**settings)
