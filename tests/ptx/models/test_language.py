"""What is no language model, by its configuration."""

import json

import pytest

from ptx import StepError
from ptx.compose.jobs import compose_jobs
from ptx.errors import ConfigError
from ptx.lm.load import load_model
from ptx.models.language import kind_of_config, language_problems
from ptx.plan.planner import make_plan

ONE = {"0": "LABEL_0"}


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"architectures": ["LlamaForSequenceClassification"], "id2label": ONE}, "a reward model"),
        ({"architectures": ["DebertaV2ForSequenceClassification"]}, "a classifier of texts"),
        ({"architectures": ["Qwen2ForRewardModel"]}, "a reward model"),
        ({"architectures": ["LlamaForTokenClassification"], "id2label": ONE}, "a classifier of tokens"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "an encoder that fills in"),
        ({"architectures": ["BertModel"], "model_type": "bert"}, "an encoder"),
        (
            {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
            "a model with an encoder",
        ),
        ({"model_type": "roberta"}, "an encoder"),
        ({"architectures": ["XLNetLMHeadModel"], "model_type": "xlnet"}, "a model that reads a text in both"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "a model that reads a text in"),
        (
            {"text_config": {"use_bidirectional_attention": "all"}, "model_type": "gemma4"},
            "a model that reads",
        ),
        ({"text_config": {"use_bidirectional_attention": "vision"}, "model_type": "gemma4"}, ""),
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, ""),
        ({"architectures": ["BloomModel"], "model_type": "bloom"}, ""),
        ({"architectures": ["BertLMHeadModel"], "model_type": "bert", "is_decoder": True}, ""),
        ({"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava"}, ""),
        ({"model_type": "llama"}, ""),
        ({}, ""),
    ],
)
def test_an_architecture_says_whether_it_is_a_language_model(config, what):
    found = kind_of_config(config)
    assert found.startswith(what) if what else found == ""


@pytest.fixture
def classifier(desk):
    described = {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"], "id2label": ONE}
    (desk / "model" / "config.json").write_text(json.dumps(described))
    return desk / "model"


def test_the_plan_refuses_a_reward_model_and_says_what_it_is_for(toy_host, classifier):
    with pytest.raises(ConfigError, match=r"holds a reward model .*scorer.reward.model="):
        make_plan(toy_host, "eval", compose_jobs(toy_host, "eval", ["model=./model", "eval=[latency]"]), "t")


def test_loading_refuses_it_too(classifier):
    with pytest.raises(StepError, match="holds a reward model"):
        load_model(classifier)


def test_an_adapter_of_a_classifier_is_told_by_its_task(tmp_path):
    described = {"task_type": "SEQ_CLS", "base_model_name_or_path": "x", "peft_type": "LORA"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(described))
    (problem,) = language_problems(tmp_path)
    assert "an adapter of a classifier of texts (SEQ_CLS)" in str(problem)
