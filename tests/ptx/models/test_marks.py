"""Which templates mark the assistant's tokens, and TRL's versions of those that do not."""

from ptx.models.marks import is_marked, training_source


def test_marks_may_trim_white_space():
    assert is_marked("{%- generation -%}a{%- endgeneration %}")
    assert is_marked("{% generation %}a{% endgeneration %}")
    assert not is_marked("{% if generation %}a{% endif %}{{ add_generation_prompt }}")


def test_a_template_that_is_marked_or_unknown_is_used_as_it_is():
    for source in ("{% generation %}a{% endgeneration %}", "{{ messages }}"):
        assert training_source(source) == source


def test_every_template_that_trl_can_mark_is_found_without_importing_trl():
    from trl import chat_template_utils as trl

    names = [
        name.removesuffix("_training_chat_template")
        for name in vars(trl)
        if name.endswith("_training_chat_template")
    ]
    known = [name for name in names if hasattr(trl, f"{name}_chat_template") and not name.startswith("get")]
    assert len(known) > 20
    for name in known:
        plain, marked = getattr(trl, f"{name}_chat_template"), getattr(trl, f"{name}_training_chat_template")
        assert training_source(plain) == marked
