"""The names of sizes are those of transformers' attribute maps."""

import pytest

from ptx.models.sizes import NAMES, context, size


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"model_type": "llama", "max_position_embeddings": 4096}, 4096),
        ({"model_type": "gpt2", "n_positions": 1024, "n_ctx": 1024}, 1024),
        ({"model_type": "gptj", "n_positions": 2048}, 2048),
        ({"model_type": "mpt", "max_seq_len": 2048}, 2048),
        ({"model_type": "dbrx", "max_seq_len": 32768}, 32768),
        ({"model_type": "rwkv", "context_length": 1024}, 1024),
        ({"model_type": "gemma3", "text_config": {"max_position_embeddings": 131072}}, 131072),
        ({"model_type": "mamba", "state_size": 16}, None),
        ({"model_type": "llama", "max_position_embeddings": None}, None),
    ],
)
def test_the_context_is_read_under_the_names_that_public_configs_have(config, tokens):
    assert context(config) == tokens


def test_every_language_model_of_transformers_is_read_as_transformers_reads_it():
    """Of each size a value of its own is given, under the name that the class of the config has for it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    wrong = []
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        names = CONFIG_MAPPING[kind].attribute_map
        for number, name in enumerate(NAMES, 11):
            stored = names.get(name, name)
            if "encoder" in stored or "decoder" in stored:  # of an encoder beside the language model
                continue
            if size({"model_type": kind, stored: number}, name) != number:
                wrong.append((kind, name, stored))
    assert wrong == []
