"""Stand-ins for vLLM: its engine in this process, and its server over HTTP.

The engine's have the shape of vLLM's documented objects (RequestOutput, Logprob, LoRARequest); test_server.py
runs vLLM itself where it is installed.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

import ptx_vllm
from ptx import ModelRef, Outside
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_vllm import Vllm


@dataclass
class Params:
    max_tokens: int
    temperature: float = 1.0
    stop: list = field(default_factory=list)
    seed: int | None = None
    prompt_logprobs: int | None = None
    logprobs: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False


class Engine:
    """Greedy answers of the hf runtime, in the shape of vLLM's."""

    def __init__(self, **arguments):
        self.arguments, self.asked = arguments, []
        self.lm = open_hf(HF(), ModelRef(Path(arguments["model"])), "cpu")
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=256))

    def generate(self, prompts, params, use_tqdm, lora_request):
        several = params if isinstance(params, list) else [params] * len(prompts)
        self.asked += [(one, lora_request) for one in several]
        return [
            self._answer(prompt["prompt_token_ids"], one)
            for prompt, one in zip(prompts, several, strict=True)
        ]

    def _answer(self, ids, params):
        (scores,) = self.lm.logits([ids])
        logs = torch.log_softmax(torch.from_numpy(scores), -1)
        ranks = (-logs).argsort(-1).argsort(-1) + 1
        entry = lambda place: {
            t: SimpleNamespace(logprob=float(logs[place, t]), rank=int(ranks[place, t]))
            for t in range(logs.shape[1])
        }
        text = self.lm.tokenizer.decode(int(logs[-1].argmax()))
        return SimpleNamespace(
            prompt_logprobs=[None, *(entry(place) for place in range(len(ids) - 1))],
            outputs=[
                SimpleNamespace(
                    text=text, logprobs=[entry(len(ids) - 1)], token_ids=[1, 2], finish_reason="stop"
                )
            ],
        )


@pytest.fixture
def vllm(monkeypatch):
    module, lora = ModuleType("vllm"), ModuleType("vllm.lora.request")
    module.LLM, module.SamplingParams = Engine, Params
    lora.LoRARequest = lambda name, number, path: SimpleNamespace(
        lora_name=name, lora_int_id=number, lora_path=path
    )
    for name, value in (
        ("vllm", module),
        ("vllm.lora", ModuleType("vllm.lora")),
        ("vllm.lora.request", lora),
    ):
        monkeypatch.setitem(sys.modules, name, value)


#: what ``vllm serve`` would be, for those parts of its API that are used here: greedy answers of the hf
#: runtime
COMMAND = """
import argparse, json, os, pathlib, sys
import torch, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from ptx import ModelRef
from ptx_hf import HF, ptx_load

def main():
    parser = argparse.ArgumentParser()
    for name in ("command", "model", "--uds", "--served-model-name"):
        parser.add_argument(name)
    parser.add_argument("--lora-modules", nargs="*", default=[])
    given, rest = parser.parse_known_args()
    pathlib.Path(given.uds).with_name("asked.json").write_text(json.dumps(rest))
    if "--dtype=float16" in rest:
        raise SystemExit("no such dtype on this device")
    names = [given.served_model_name, *(one.partition("=")[0] for one in given.lora_modules)]
    lm, app = ptx_load(HF(), ModelRef.of(pathlib.Path(given.model)), "cpu"), FastAPI()

    @app.get("/health")
    def health():
        return {}

    @app.get("/v1/models")
    def models():
        return {"data": [{"id": given.served_model_name, "max_model_len": 128}]}

    def sampled(body):  # "logprobs": 0 asks for the sampled tokens' alone, as processed_logprobs
        generator, ids, logs = torch.Generator().manual_seed(body["seed"]), list(body["prompt"]), []
        while len(logs) < body["max_tokens"] and ids[-1] != lm.tokenizer.eos_token_id or not logs:
            (scores,) = lm.logits([ids])
            row = torch.log_softmax(torch.from_numpy(scores[-1]) / body["temperature"], -1)
            ids.append(int(torch.multinomial(row.exp(), 1, generator=generator)))
            logs.append(float(row[ids[-1]]))
        return {"token_ids": ids[len(body["prompt"]):], "logprobs": {"token_logprobs": logs}}

    def note(path, body):
        with open(pathlib.Path(given.uds).with_name("renewals.jsonl"), "a") as file:
            file.write(json.dumps([path, body]) + chr(10))

    if os.environ.get("VLLM_SERVER_DEV_MODE") == "1":

        @app.post("/collective_rpc")
        async def collective_rpc(request: Request):
            note("/collective_rpc", await request.json())
            other = ptx_load(HF(), ModelRef.of(pathlib.Path(given.model)), "cpu")
            lm.model.load_state_dict(other.model.state_dict())
            return {"results": [None]}

        @app.post("/reset_prefix_cache")
        async def reset_prefix_cache():
            note("/reset_prefix_cache", {})
            return {"success": True}

    if os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "True":

        @app.post("/v1/load_lora_adapter")
        async def load_lora_adapter(request: Request):
            body = await request.json()
            note("/v1/load_lora_adapter", body)
            if not (pathlib.Path(body["lora_path"]) / "adapter_config.json").is_file():
                return JSONResponse({"error": {"message": "no adapter there"}}, 404)
            names.append(body["lora_name"])
            return {}

        @app.post("/v1/unload_lora_adapter")
        async def unload_lora_adapter(request: Request):
            body = await request.json()
            note("/v1/unload_lora_adapter", body)
            names.remove(body["lora_name"])
            return {}

    @app.post("/v1/completions")
    async def completions(request: Request):
        body = await request.json()
        with open(pathlib.Path(given.uds).with_name("bodies.jsonl"), "a") as file:
            file.write(json.dumps(body) + chr(10))
        if body["model"] not in names:
            return JSONResponse({"error": {"message": "no such model: " + body["model"]}}, 404)
        ids = body["prompt"]
        if body.get("stream"):
            lines = ["data: " + json.dumps({"choices": [{"text": "x"}]}) + chr(10) * 2] * body["max_tokens"]
            lines.append("data: [DONE]" + chr(10) * 2)
            return StreamingResponse(iter(lines), media_type="text/event-stream")
        if body.get("return_token_ids"):
            return {"choices": [sampled(body)]}
        (scores,) = lm.logits([ids])
        logs = torch.log_softmax(torch.from_numpy(scores), -1)
        ranks = (-logs).argsort(-1).argsort(-1) + 1
        one = lambda place, t: {"logprob": float(logs[place, t]), "rank": int(ranks[place, t])}
        entry = lambda place: {t: one(place, t) for t in range(logs.shape[1])}
        asked = body.get("prompt_logprobs")
        scores = [None, *(entry(place) for place in range(len(ids) - 1))] if asked else None
        return {"choices": [{"text": lm.tokenizer.decode(int(logs[-1].argmax())), "prompt_logprobs": scores}]}

    uvicorn.run(app, uds=given.uds, log_level="warning")
"""


SCRIPT = """
import runpy, sys
sys.path.insert(0, {packages!r})
runpy.run_path({serve!r}, run_name="__main__")
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The plugin's own serve.py, with a stand-in for vllm."""
    package = tmp_path / "packages" / "vllm" / "entrypoints" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text(COMMAND)
    script = tmp_path / "stand_in.py"
    script.write_text(
        SCRIPT.format(
            packages=str(tmp_path / "packages"), serve=str(Path(ptx_vllm.__file__).with_name("serve.py"))
        )
    )
    monkeypatch.setattr(Vllm, "served", lambda self: Outside(script, sys.executable))
