"""The built-in tiny model, cut; and a small network of every architecture that is known."""

import copy
from pathlib import Path

import pytest
import torch
import transformers

import ptx_structured_pruning
import ptx_tiny
from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model, load_tokenizer
from ptx_structured_pruning.masks import Kept
from ptx_structured_pruning.solver import kept_heads
from ptx_tiny.data import calibration

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture(scope="module")
def texts():
    return [row["text"] for _, row in zip(range(60), calibration(), strict=False)]


@pytest.fixture
def compress(make_run, make_data, texts):
    """``compress(config)``: a run, and the built-in tiny model (or another) as this plugin cuts it."""

    def cut(config, model=TINY, name="step"):
        data = make_data("calibration", [{"text": text} for text in texts[:40]])
        return _compressed(make_run(RunConfig(), [ptx_structured_pruning], name), config, model, data)

    return cut


def _compressed(run, config, model, data):
    made = run.host.first("ptx_compress", run=run, compressor=config, model=ModelRef.of(model), data=data)
    return run, made


@pytest.fixture
def loss():
    """``loss(path, texts)``: nats per token of a model folder."""

    def measure(path, texts):
        model, tokenizer, total, count = load_model(path), load_tokenizer(TINY), 0.0, 0
        with torch.no_grad():
            for text in texts:
                ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"][:128]])
                total, count = (
                    total + float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1),
                    count + ids.shape[1] - 1,
                )
        return total / count

    return measure


@pytest.fixture
def cut_at_length(make_run, make_data, texts):
    """Every row has 32 tokens, so that rows can share a batch."""

    def cut(config, name):
        data = make_data("calibration", [{"text": text} for text in texts if len(text) > 200])
        return _compressed(make_run(RunConfig(), [ptx_structured_pruning], name), config, TINY, data)

    return cut


SHAPE = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 10,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


KINDS = {
    "Llama": {},
    "Llama biased and tied": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "Mistral": {},
    "Qwen2": {"use_sliding_window": True, "max_window_layers": 2, "sliding_window": 8},
    "Qwen3": {"tie_word_embeddings": True},
    "Gemma": {},
    "Gemma2": {"sliding_window": 8},
    "Gemma3": {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"] * 2},
}


@pytest.fixture(params=KINDS)
def network(request):
    name, settings = request.param.split()[0], KINDS[request.param]
    config = getattr(transformers, f"{name}{'Text' * (name == 'Gemma3')}Config")(**SHAPE, **settings)
    torch.manual_seed(0)
    made = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for part, parameter in made.named_parameters():
            if "norm" in part or part.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


@pytest.fixture
def output():
    """``output(network)``: logits of two fixed rows."""

    def logits(network):
        ids = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            return network(input_ids=ids).logits

    return logits


@pytest.fixture
def same():
    """``same(found, expected)``: equal but for rounding."""

    def close(found, expected):
        return float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())

    return close


@pytest.fixture
def random_kept():
    """``random_kept(hidden)``: units to keep, drawn with a fixed seed."""

    def draw(hidden):
        generator = torch.Generator().manual_seed(0)
        pick = lambda count, of: torch.randperm(of, generator=generator)[:count].sort().values
        heads = [kept_heads(torch.rand(6, generator=generator), 3, 2, 2, 1) for _ in range(4)]
        ffn = [pick(24, 40) for _ in range(4)]
        return Kept(ffn, [groups for groups, _ in heads], [queries for _, queries in heads], pick(hidden, 48))

    return draw


@pytest.fixture
def zeroed():
    """``zeroed(network, kept)``: a copy in which every weight that reads or writes a removed unit is zero."""

    def copied(network, kept):
        made = copy.deepcopy(network)
        lost = lambda places, of: [place for place in range(of) if place not in places.tolist()]
        hidden = lost(kept.hidden, 48)
        with torch.no_grad():
            made.get_input_embeddings().weight[:, hidden] = 0
            for layer, ffn, heads in zip(made.model.layers, kept.ffn, kept.heads, strict=True):
                layer.mlp.down_proj.weight[:, lost(ffn, 40)] = 0
                for head in lost(heads, 6):
                    layer.self_attn.o_proj.weight[:, head * 10 : head * 10 + 10] = 0
                for writer in (layer.self_attn.o_proj, layer.mlp.down_proj):
                    writer.weight[hidden] = 0
                    if writer.bias is not None:
                        writer.bias[hidden] = 0
        return made

    return copied
