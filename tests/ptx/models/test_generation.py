from ptx.models.generation import idle_settings


def test_settings_of_sampling_are_idle_only_where_nothing_is_sampled():
    assert idle_settings({"temperature": 0.9, "top_p": 1.0, "top_k": 50}) == {"temperature": 0.9}
    assert idle_settings({"temperature": 0.9, "do_sample": True}) == {}
    assert idle_settings({"do_sample": False, "min_p": 0.1}) == {"min_p": 0.1}


def test_the_settings_and_what_says_nothing_are_those_of_transformers():
    from transformers import GenerationConfig

    from ptx.lm.generation_config import invalid
    from ptx.models.generation import SAMPLING

    for name, nothing in SAMPLING.items():
        assert invalid(GenerationConfig(**{name: nothing})) == set()
        assert invalid(GenerationConfig(**{name: 3 if name == "top_k" else 0.5})) == {name}
