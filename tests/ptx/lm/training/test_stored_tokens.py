"""Tokenised rows are made once for all runs that differ in their training alone, and are the same rows."""

import inspect
import re

import pytest
import trl

import ptx_dpo
import ptx_kto
import ptx_reward
import ptx_sft
from ptx import RunConfig
from ptx.lm.load import load_tokenizer
from ptx.lm.training import stored_tokens
from ptx.lm.training.rows import as_dataset
from ptx.lm.training.tokens import token_rows
from ptx.store.store import Store
from ptx_dpo import DPO
from ptx_kto import KTO
from ptx_reward import RewardModel
from ptx_sft import SFT

PAIRS = [{"prompt": f"{n} and {n}? ", "chosen": f"it is {2 * n}", "rejected": "who knows?"} for n in range(8)]
THUMBS = [{"prompt": f"{n}? ", "completion": f"it is {n}", "label": n % 2 == 0} for n in range(8)]
CHATS = [
    {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"it is {n}"}]}
    for n in range(8)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 4, "max_steps": 2, "warmup": 0.0}
METHODS = {
    "sft": (ptx_sft, SFT, CHATS, {"assistant_only": False}),
    "dpo": (ptx_dpo, DPO, PAIRS, {"max_length": 40}),
    "kto": (ptx_kto, KTO, THUMBS, {"batch_size": 8}),
    "reward": (ptx_reward, RewardModel, PAIRS, {"max_length": 40}),
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def start(make_run, train, make_data, store, chat_model):
    """``start("dpo", "a", beta=0.3)``: a run with a store; its metrics."""

    def started(method, name, model=None, **settings):
        plugin, kind, rows, _ = METHODS[method]
        run = make_run(RunConfig(method=kind(**{**QUICK, **settings})), [plugin], name).at(store=store)
        train(run, model or chat_model, make_data(name, rows))
        return run

    return started


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setattr(stored_tokens, "WORTH", 8)


def tokens(store):
    return [one for one in store.entries() if one.kind == "products" and (one.payload / "rows").is_dir()]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_learning_rates_share_the_tokens_and_other_tokens_do_not(start, store, many, method):
    start(method, "a")
    assert len(tokens(store)) == 1
    start(method, "b", learning_rate=5e-3)
    assert len(tokens(store)) == 1
    start(method, "c", **METHODS[method][3])
    assert len(tokens(store)) == 2
    assert not list(store.root.rglob("cache-*")), "what is mapped later does not lie in the store"


def test_the_rows_are_those_of_no_store(make_run, store, many, chat_model):
    tokenizer = load_tokenizer(chat_model)

    def make():
        return as_dataset(token_rows("messages", CHATS, tokenizer, answers_only=True))

    found = [
        stored_tokens.stored_tokens(run, tokenizer, CHATS, {"shape": "messages"}, make)
        for run in (
            make_run(RunConfig(), [], "a").at(store=store),
            make_run(RunConfig(), [], "b").at(store=store),
        )
    ]
    assert len(tokens(store)) == 1
    for one in found:
        assert one.to_list() == make().to_list()
        assert one.features == make().features


def test_few_rows_are_not_kept(make_run, store, chat_model):
    tokenizer = load_tokenizer(chat_model)
    run = make_run(RunConfig(), [], "a").at(store=store)
    stored_tokens.stored_tokens(run, tokenizer, CHATS, {}, lambda: as_dataset(CHATS))
    assert not tokens(store)


def test_another_template_is_another_product(make_run, store, many, chat_model):
    run = make_run(RunConfig(), [], "a").at(store=store)
    for template in ("{{ messages }}", "{{ messages[0] }}"):
        tokenizer = load_tokenizer(chat_model)
        tokenizer.chat_template = template
        stored_tokens.stored_tokens(run, tokenizer, CHATS, {}, lambda: as_dataset(CHATS))
        tokenizer(
            ["a", "abc"], padding=True, truncation=True, max_length=2
        )  # leaves a state in the tokenizer
        stored_tokens.stored_tokens(run, tokenizer, CHATS, {}, lambda: as_dataset(CHATS))
    assert len(tokens(store)) == 2


@pytest.mark.parametrize("name", stored_tokens.READ)
def test_every_argument_that_trl_reads_is_in_the_key(name):
    source = inspect.getsource(getattr(trl, name)._prepare_dataset)
    read = set(re.findall(r"\bargs\.(\w+)", source)) - {"dataset_num_proc"}
    of_self = set(re.findall(r"\bself\.(\w+)", source)) - {"_tokenizer"}
    assert read | of_self == set(stored_tokens.READ[name])
