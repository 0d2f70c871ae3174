"""The offline engine: what it is called with, and how its answers are read."""

from types import SimpleNamespace

from ptx import ModelRef
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from ptx_vllm import Vllm, ptx_load

OFFLINE = Vllm(engine="offline")


def test_a_timed_request_cannot_end_early(vllm, chat_model):
    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    prefill, decode = lm.time_request(8, 5)
    assert prefill > 0
    assert decode > 0
    assert [(asked.max_tokens, asked.min_tokens, asked.ignore_eos) for asked, _ in lm.engine.asked] == [
        (1, 1, True),
        (5, 5, True),
    ]


def test_clients_send_their_next_request_after_an_answer_and_the_engine_batches_what_is_there(
    vllm, chat_model
):
    class Continuous:
        """Every request takes three steps; the shape is that of LLMEngine."""

        def __init__(self):
            self.under_way, self.most, self.prompts = {}, 0, []

        def add_request(self, name, prompt, params, lora_request):
            assert (params.max_tokens, params.min_tokens, params.ignore_eos) == (5, 5, True)
            self.prompts.append(tuple(prompt["prompt_token_ids"]))
            self.under_way[name] = 0
            self.most = max(self.most, len(self.under_way))

        def has_unfinished_requests(self):
            return bool(self.under_way)

        def step(self):
            for name in self.under_way:
                self.under_way[name] += 1
            answers = [
                SimpleNamespace(
                    request_id=name, finished=done == 3, outputs=[SimpleNamespace(token_ids=[1] * (done - 1))]
                )
                for name, done in self.under_way.items()
            ]
            self.under_way = {name: done for name, done in self.under_way.items() if done < 3}
            return answers

    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    engine = lm.engine.llm_engine = Continuous()
    served = lm.time_clients(8, 5, clients=3, each=4)
    assert len(served) == 12
    assert engine.most == 3
    assert len(set(engine.prompts)) == 12  # no prefix is met twice
    assert all(first > 0 and rest > 0 for first, rest in served)


def test_several_adapters_are_served_on_one_base(vllm, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    for name in ("mine", "other"):
        network = get_peft_model(load_model(chat_model), LoraConfig(r=2, target_modules="all-linear"))
        save_adapter(network, load_tokenizer(chat_model), tmp_path / name, ModelRef.of(chat_model))
    runtime = Vllm(engine="offline", adapters={"other": str(tmp_path / "other")})
    lm = ptx_load(runtime, ModelRef.of(tmp_path / "mine", "adapter"))
    assert lm.engine.arguments["model"] == str(chat_model.resolve())
    assert (lm.engine.arguments["enable_lora"], lm.engine.arguments["max_loras"]) == (True, 2)
    assert (lm.adapter.lora_name, lm.adapter.lora_int_id, lm.adapter.lora_path) == (
        "run",
        1,
        str((tmp_path / "mine").resolve()),
    )
    other = ptx_load(
        Vllm(engine="offline", adapters=runtime.adapters, adapter="other"),
        ModelRef.of(tmp_path / "mine", "adapter"),
    )
    other.generate(["a"], 1)
    assert other.engine.asked[0][1].lora_name == "other"
