"""The problems of a training run that are found before a weight is loaded, by the hook of each method."""

import json
import shutil
import struct

import pytest

import ptx_dpo
import ptx_grpo
import ptx_kto
import ptx_sft
from ptx import Lora, RunConfig
from ptx.data import open_data
from ptx.lm.training import validate
from ptx_dpo import DPO
from ptx_grpo import GRPO
from ptx_kto import KTO
from ptx_sft import SFT
from tests.conftest import TOKENIZER

CHAT = {"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]}
TURN = [{"role": "user", "content": "why?"}]
MARKED = (
    "{% for message in messages %}{% generation %}{{ message['content'] }}{% endgeneration %}{% endfor %}"
)


@pytest.fixture
def model(tmp_path):
    """A folder that looks like a model with 128 positions and no template; nothing in it can be loaded."""
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 128}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(TOKENIZER)
    (folder / "tokenizer_config.json").write_text("{}")
    header = json.dumps(
        {"model.layers.0.self_attn.q_proj.weight": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}}
    ).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    return folder


@pytest.fixture
def messages_of(tmp_path, model):
    """``messages_of(method, rows)``: the problems, as text."""

    def ask(method, rows=None, device="cpu"):
        data = None
        if rows:
            (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            data = open_data("rows", tmp_path / "rows.jsonl")
        plugin = {SFT: ptx_sft, DPO: ptx_dpo, KTO: ptx_kto, GRPO: ptx_grpo}[type(method)]
        found = plugin.ptx_validate(config=RunConfig(method=method, device=device), model=model, data=data)
        return [str(problem) for problem in found]

    return ask


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        (SFT(), [{"text": "once"}]),
        (SFT(), [{"prompt": "why? ", "completion": "so"}]),
        (DPO(), [{"prompt": "why? ", "chosen": "so", "rejected": "no"}]),
        (KTO(), [{"prompt": "why? ", "completion": "so", "label": True}]),
        (GRPO(max_completion_length=64, batch_size=8), [{"prompt": "why? ", "answer": "so"}]),
    ],
)
def test_text_needs_no_template(messages_of, method, rows):
    assert messages_of(method, rows) == []


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        (SFT(), [CHAT]),
        (DPO(), [{"prompt": TURN, "chosen": "so", "rejected": "no"}]),
        (KTO(), [{"prompt": TURN, "completion": "so", "label": True}]),
        (GRPO(max_completion_length=64, batch_size=8), [{"prompt": TURN, "answer": "so"}]),
    ],
)
def test_conversations_need_a_template(messages_of, model, method, rows):
    (message,) = messages_of(method, rows)
    assert f"and {model} has no chat template to render them; add one: a chat_template.jinja" in message


def test_a_template_that_marks_the_answers_is_enough(messages_of, model):
    (model / "chat_template.jinja").write_text(MARKED)
    assert messages_of(SFT(), [CHAT]) == []


def test_a_template_that_does_not_mark_them_can_only_train_on_all_tokens(messages_of, model, tmp_path):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")), eos_token="a", pad_token="a"
    )
    plain = MARKED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    tokenizer.chat_template = "{{ messages|length }}" + plain  # what is written first changes with each turn
    tokenizer.save_pretrained(model)
    (message,) = messages_of(SFT(), [CHAT])
    assert "does not mark the assistant's tokens ({% generation %} is missing)" in message
    assert message.endswith("train on all tokens with method.assistant_only=false")
    assert messages_of(SFT(assistant_only=False), [CHAT]) == []


def test_a_template_that_trl_knows_needs_no_mark(messages_of, model):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    from trl.chat_template_utils import qwen2_5_chat_template

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")), eos_token="a", pad_token="a"
    )
    tokenizer.chat_template = qwen2_5_chat_template
    tokenizer.save_pretrained(model)
    assert "generation %}" not in qwen2_5_chat_template
    assert messages_of(SFT(), [CHAT]) == []


def test_a_length_beyond_the_context_is_refused(messages_of, model):
    message = (
        "method.max_length=512 is more than the model's context of 128 tokens; try method.max_length=128"
    )
    assert messages_of(SFT(max_length=512)) == [message]
    assert messages_of(SFT(max_length=128)) == []
    assert model.is_dir()


def test_an_answer_as_long_as_the_context_is_refused(messages_of):
    (message,) = messages_of(GRPO(max_completion_length=128))
    assert message.endswith("leaves no room for a prompt; try method.max_completion_length=64")
    assert messages_of(GRPO(max_completion_length=100)) == []


def test_a_quantised_model_is_refused(messages_of, model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "compressed-tensors"}})
    )
    (message,) = messages_of(DPO())
    assert (
        message
        == f"{model} is quantised (compressed-tensors) and cannot be trained; train before you quantise"
    )


def test_qlora_on_a_cpu_says_what_works_there(messages_of):
    assert messages_of(DPO(lora=Lora(quantize=True))) == [
        (
            "method.lora.quantize=true (QLoRA) needs a GPU, and this run is on the CPU; leave it out:"
            " lora=lora alone works here"
        )
    ]


def test_adapter_targets_that_the_model_lacks_are_named(messages_of, model):
    assert messages_of(KTO(lora=Lora(targets=["q_proj", "v_prj"]))) == [
        f"{model} has no module 'v_prj' for method.lora.targets; it has q_proj, or use all-linear"
    ]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (SFT(args={"packing": True}), "method.args.packing is for ptx to set; use method.packing=..."),
        (DPO(args={"loss_type": "ipo"}), "method.args.loss_type is for ptx to set; use method.loss=..."),
        (
            KTO(args={"desirable_wieght": 2.0}),
            "no TRL argument 'desirable_wieght' for method=kto; did you mean 'desirable_weight'?",
        ),
        (
            GRPO(max_completion_length=64, args={"num_generation": 4}),
            "no TRL argument 'num_generation' for method=grpo; did you mean 'num_generations",
        ),
        (
            GRPO(max_completion_length=64, args={"epsilon": "big"}),
            "method.args.epsilon must be float, got 'big' (str)",
        ),
    ],
)
def test_args_are_checked_against_the_config_of_the_method(messages_of, method, expected):
    (message,) = messages_of(method)
    assert message.startswith(expected)


def test_fewer_prompts_than_a_step_takes_are_a_problem(messages_of):
    """TRL drops a batch that is not full, and would train nothing without an error."""
    rows = [{"prompt": f"why {number}? ", "answer": "so"} for number in range(3)]
    few = GRPO(max_completion_length=64, batch_size=32, num_generations=8)
    (message,) = messages_of(few, rows)
    assert "8 answers to each of 4 prompts (method.batch_size=32), and the data has 3 prompts; try" in message
    assert "method.batch_size=24" in message
    assert messages_of(GRPO(max_completion_length=64, batch_size=24, num_generations=8), rows) == []


def test_other_methods_are_not_its_business(model):
    config = RunConfig(method=DPO(args={"xyzzy": 1}))
    assert ptx_sft.ptx_validate(config=config, model=model, data=None) == []


def test_a_broken_model_folder_is_left_to_the_core(messages_of, model):
    shutil.rmtree(model)
    assert messages_of(SFT(), [CHAT]) == []


ASKED = [{"role": "user", "content": "hi"}]
SKIPPED = {"role": "assistant", "content": "hello", "weight": 0}


def test_replies_that_are_not_trained_are_refused_where_every_token_is(make_data, chat_model):
    pairs = make_data(
        "pairs", [{"prompt": ASKED, "chosen": [SKIPPED], "rejected": [{**SKIPPED, "content": "go"}]}]
    )
    (problem,) = validate.row_problems(pairs, "pairs", chat_model)
    assert "file pairs.jsonl line 1: a reply is marked as not trained" in problem.what
    chats = make_data("messages", [{"messages": [*ASKED, SKIPPED, *ASKED, {**SKIPPED, "weight": 1}]}])
    assert validate.row_problems(chats, "messages", chat_model) == []
    (problem,) = validate.row_problems(chats, "messages", chat_model, answers_only=False)
    assert "this method trains every token of it" in problem.what


def test_options_of_the_template_are_refused_where_only_prompts_are_given(make_data, chat_model):
    data = make_data(
        "prompts", [{"prompt": "a", "answer": "4", "chat_template_kwargs": {"enable_thinking": False}}]
    )
    (problem,) = validate.row_problems(data, "prompts", chat_model)
    assert "does not give chat_template_kwargs to the chat template" in problem.what
    assert "data.drop=[chat_template_kwargs]" in problem.fix


def test_a_row_that_the_template_cannot_read_is_a_problem_of_the_plan(make_data, chat_model):
    call = {"name": "f", "arguments": {"a": 1}}
    row = {"messages": [*ASKED, {"role": "assistant", "content": None, "tool_calls": [call]}]}
    (problem,) = validate.row_problems(make_data("messages", [row]), "messages", chat_model)
    assert "does not write tool_calls, so it would be lost" in problem.what
