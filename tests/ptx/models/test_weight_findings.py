"""Which class belongs to which type; the findings themselves: test_contradictions.py."""

import pytest

from ptx.models.weight_findings import belongs


def test_every_class_of_transformers_belongs_to_its_type():
    from transformers.models.auto import modeling_auto as auto

    pairs = [
        (name, kind)
        for mapping in (
            auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
            auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        )
        for kind, names in mapping.items()
        for name in ([names] if isinstance(names, str) else names)
    ]
    assert len(pairs) > 100
    assert [pair for pair in pairs if not belongs(*pair)] == []


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("MistralForCausalLM", "llama"),
        ("Gemma2ForCausalLM", "gemma"),
        ("Qwen2ForCausalLM", "qwen3"),
        ("PhiForCausalLM", "phi3"),
    ],
)
def test_a_class_of_another_type_does_not(architecture, kind):
    assert not belongs(architecture, kind)
