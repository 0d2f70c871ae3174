"""The reference's log-probabilities: scored once, shared only by runs for which they are equal.

KTO shares its answers between seeds; the pairs of its KL term follow the seed's order of the rows.
"""

import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch

import ptx_dpo
import ptx_dpo.train
import ptx_kto
import ptx_kto.train
from ptx import Lora, RunConfig
from ptx.compose.jobs import compose_jobs
from ptx.config import Exact, Speed
from ptx.execute.sweep import run_sweep
from ptx.files import read_json, read_rows
from ptx.hooks.host import get_host
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training import answers, other_reference, reference
from ptx.plan.planner import make_plan
from ptx.store.store import Store
from ptx.testing import Silent
from ptx_dpo import DPO
from ptx_kto import KTO

PAIRS = [
    {
        "prompt": f"what is {n} plus {n}? ",
        "chosen": f"it is {2 * n}" + "!" * (n % 5),
        "rejected": "who knows?",
    }
    for n in range(16)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def dpo(make_run, train, make_data, store, chat_model):
    """``dpo("a", beta=0.3)``: a run with a store; ``model``, ``rows`` and ``seed`` may be given too."""

    def start(name, model=None, rows=PAIRS, seed=0, **settings):
        run = make_run(RunConfig(method=DPO(**{**QUICK, **settings})), [ptx_dpo], name, seed).at(store=store)
        train(run, model or chat_model, make_data(f"pairs-{name}", rows))
        return run

    return start


def passes(store):
    return [entry for entry in store.entries() if entry.kind == "products"]


EQUAL = [
    {},
    {"lora": Lora(r=4)},
    {"micro_batch": 2, "seed": 3},
    {"args": {"ld_alpha": 0.5}},
    {"max_length": 30, "args": {"truncation_mode": "keep_end"}},
    {"loss": "ipo", "dtype": "bfloat16"},
]


@pytest.mark.parametrize("settings", EQUAL, ids=str)
def test_losses_with_the_store_are_those_without_it_to_the_last_digit(dpo, store, losses_of, settings):
    with_store = dpo("with", speed=Exact(), **settings)
    assert len(passes(store)) == 1
    without = dpo("without", cache_reference=False, speed=Exact(), **settings)
    assert len(passes(store)) == 1
    assert len(losses_of(with_store)) == 3
    assert losses_of(with_store) == losses_of(without)


def test_no_reference_model_is_loaded_and_no_pass_made_a_second_time(dpo, store, losses_of, monkeypatch):
    first = dpo("first")

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(other_reference, "load_reference", fail)
    monkeypatch.setattr(answers, "log_probabilities", fail)
    assert losses_of(dpo("second")) == losses_of(first)


MANY = [{**row, "prompt": f"{n}: {row['prompt']}"} for n in range(3) for row in PAIRS]


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 1}, {"seed": 5}, {"lora": Lora(r=4)}], ids=str)
def test_few_steps_over_many_rows_score_the_rows_that_they_draw(dpo, store, losses_of, settings):
    few = {"batch_size": 3, "speed": Exact(), "rows": MANY, **settings}
    scored = dpo("few", **few)
    (entry,) = passes(store)
    assert len(read_json(entry.payload / "values.json")) == 2 * 9  # three steps of three pairs
    every = dpo("every", cache_reference=False, **few)
    assert losses_of(scored) == losses_of(every)
    assert len(losses_of(scored)) == 3


def test_many_drawn_rows_or_a_fraction_of_a_pass_or_several_ranks(monkeypatch):
    seedable = SimpleNamespace(use_seedable_sampler=True)
    args = SimpleNamespace(
        max_steps=4, data_seed=7, train_sampling_strategy="random", accelerator_config=seedable
    )
    drawn = reference.rows_to_score(args, 100, 6)
    assert len(set(drawn)) == 24
    assert reference.rows_to_score(args, 96, 6) == range(96)  # a quarter
    args.train_sampling_strategy = "sequential"
    assert reference.rows_to_score(args, 100, 6) == range(24)
    args.train_sampling_strategy = "group_by_length"
    assert reference.rows_to_score(args, 100, 6) == range(100)
    args.train_sampling_strategy, args.max_steps, args.num_train_epochs = "random", -1, 0.1
    assert len(reference.rows_to_score(args, 100, 5)) == 10
    args.num_train_epochs = 1.0
    assert reference.rows_to_score(args, 100, 5) == range(100)
    args.max_steps = 1
    monkeypatch.setattr(reference, "ranks", lambda: 2)
    assert reference.rows_to_score(args, 100, 5) == range(100)


def test_the_losses_of_fast_are_those_of_exact_to_rounding(dpo, losses_of):
    exact, fast = dpo("exact", speed=Exact()), dpo("fast")
    assert losses_of(fast) == pytest.approx(losses_of(exact), abs=2e-6)
    live = dpo("live", cache_reference=False)
    assert losses_of(live) == pytest.approx(losses_of(exact), abs=2e-6)


SAME = [
    {"beta": 0.5},
    {"learning_rate": 1e-2},
    {"loss": "ipo"},
    {"seed": 1},
    {"lora": Lora(r=4)},
    {"lora": Lora(r=8, alpha=4)},
    {"batch_size": 4},
    {"micro_batch": 2},
    {"max_length": 200},
    {"args": {"max_grad_norm": 0.5}},
    {"label_smoothing": 0.1},
]


def test_beta_rate_loss_seed_adapter_and_batches_share_one_pass(dpo, store):
    dpo("first", max_steps=1)
    for number, settings in enumerate(SAME):
        dpo(f"other-{number}", max_steps=1, **settings)
        assert len(passes(store)) == 1, settings


MISSES = [
    {"rows": [*PAIRS[:-1], {**PAIRS[-1], "chosen": "it is thirty"}]},
    {"rows": PAIRS[:-1]},
    {"max_length": 30},
    {"max_length": 30, "args": {"truncation_mode": "keep_end"}},
    {"dtype": "bfloat16"},
    {"args": {"ld_alpha": 0.5}},
    {"args": {"ld_alpha": 0.9}},
    {"args": {"bf16_full_eval": True}},  # an argument that ptx knows nothing about
    {"speed": Exact()},
    {"speed": Speed(batch_tokens=100)},
]


def test_every_change_of_data_cut_weights_dtype_tail_template_or_libraries_misses(
    dpo, store, chat_model, tmp_path, monkeypatch
):
    dpo("first", max_steps=1)
    made = 1
    for number, settings in enumerate(MISSES):
        dpo(f"other-{number}", max_steps=1, **settings)
        made += 1
        assert len(passes(store)) == made, settings
    dpo("weights", model=changed_weights(chat_model, tmp_path / "weights"), max_steps=1)
    dpo("template", model=changed_template(chat_model, tmp_path / "template"), max_steps=1)
    assert len(passes(store)) == made + 2
    monkeypatch.setattr(reference.machine, "versions", lambda names: dict.fromkeys(names, "2000.1"))
    dpo("libraries", max_steps=1)
    assert len(passes(store)) == made + 3
    changed = {entry.ingredients["tokens"] for entry in passes(store)}
    # the first, two of data, two of cut, and one of the template, whose change is visible in the tokens too
    assert len(changed) == 6


def changed_weights(model, folder):
    network = load_model(model)
    with torch.no_grad():
        next(iter(network.parameters())).view(-1)[0] += 0.01
    save_model(network, load_tokenizer(model), folder)
    return folder


def changed_template(model, folder):
    shutil.copytree(model, folder)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("+ '|>' +", "+ '|>please ' +"))
    return folder


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("device", lambda run, trainer: (run.at(device="cuda"), trainer)),
        ("attention", lambda run, trainer: (run, trainer.configure(_attn_implementation="eager"))),
        ("autocast", lambda run, trainer: (run, trainer.configure(mixed_precision="bf16"))),
        ("dtype", lambda run, trainer: (run, trainer.cast(torch.bfloat16))),
        (
            "quantized",
            lambda run, trainer: (run.at(config=RunConfig(method=DPO(lora=Lora(quantize=True)))), trainer),
        ),
        ("matmul", lambda run, trainer: (run, trainer.precise("high"))),
    ],
)
def test_device_attention_precision_and_quantisation_are_in_the_key(make_run, chat_model, name, change):
    run, model = make_run(RunConfig(method=DPO())), reference.ModelRef.of(chat_model)
    before = reference.ingredients(run, run.config.method, model, Holder(load_model(chat_model)), [], None)
    usual = torch.get_float32_matmul_precision()
    try:
        other, holder = change(run, Holder(load_model(chat_model)))
        after = reference.ingredients(other, other.config.method, model, holder, [], None)
    finally:
        torch.set_float32_matmul_precision(usual)
    assert [key for key in after if before[key] != after[key]] == [name]


class Holder:
    """The attributes of a trainer that the key depends on."""

    def __init__(self, model):
        self.model, self.accelerator, self.mixed_precision = model, self, "no"

    def unwrap_model(self, model):
        return model

    def cast(self, dtype):
        self.model.to(dtype)
        return self

    def precise(self, how):
        torch.set_float32_matmul_precision(how)
        return self

    def configure(self, mixed_precision="no", **settings):
        self.mixed_precision = mixed_precision
        for name, value in settings.items():
            setattr(self.model.config, name, value)
        return self


def test_other_weights_below_the_same_adapter_are_another_reference(chat_model, tmp_path):
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    shutil.copytree(chat_model, base)
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    before = reference.weights_digest(reference.ModelRef.of(adapter, "adapter"))
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x41")
    assert reference.weights_digest(reference.ModelRef.of(adapter, "adapter")) != before


@pytest.mark.parametrize("tail", [None, 0.5])
def test_the_numbers_are_those_of_a_plain_forward_pass(dpo, store, chat_model, tail):
    dpo("first", max_steps=1, args={} if tail is None else {"ld_alpha": tail})
    (entry,) = passes(store)
    values = read_json(entry.payload / "values.json")
    model, tokenizer = load_model(chat_model), load_tokenizer(chat_model)
    expected = set()
    for row in PAIRS:
        prompt = [{"role": "user", "content": row["prompt"]}]
        start = len(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False))
        sides = [
            tokenizer.apply_chat_template(
                [*prompt, {"role": "assistant", "content": row[side]}], return_dict=False
            )
            for side in ("chosen", "rejected")
        ]
        shared = min(len(ids) for ids in sides) - start
        for ids in sides:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
            tokens = [float(logits[position - 1, ids[position]]) for position in range(start, len(ids))]
            whole = len(tokens) if tail is None else shared
            expected.add(round(math.fsum(tokens[:whole]) + (tail or 0.0) * math.fsum(tokens[whole:]), 3))
    assert sorted({round(value, 3) for value in values}) == pytest.approx(sorted(expected), abs=2e-3)


@pytest.mark.slow
def test_a_sweep_over_beta_and_rate_makes_one_pass_and_its_losses_are_those_without_the_store(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["model=tiny", "data=tiny", "data.limit=8", "method=dpo", "eval=[]", "device=cpu"]
    words += ["method.max_steps=2", "method.batch_size=4", "speed=exact"]
    axes = ["method.beta=0.1,0.5", "method.learning_rate=1e-4,1e-3"]

    def sweep(out, *more):
        plan = make_plan(
            get_host(),
            "train",
            compose_jobs(get_host(), "train", [*words, *axes, f"out={out}", *more], multirun=True),
            "test",
        )
        assert run_sweep(plan, get_host(), Silent()).failed == ()
        return plan, {
            run.label.replace(" method.cache_reference=false", ""): losses(plan.folder / run.id)
            for run in plan.runs
        }

    plan, with_store = sweep("with")
    _, without = sweep("without", "method.cache_reference=false")
    made = passes(plan.store)
    assert [entry.ingredients["choice"] for entry in made] == ["reference"]
    assert passes(Store(tmp_path / "without" / "store")) == []
    assert len(with_store) == 4
    assert all(len(found) == 2 for found in with_store.values())
    assert with_store == without
    results = [read_json(plan.folder / run.id / "result.json")["steps"][0]["products"] for run in plan.runs]
    assert [product["key"] for (product,) in results] == [made[0].key] * 4
    assert sorted(product["shared"] for (product,) in results) == [False, True, True, True]


def losses(folder):
    return [
        event["metrics"]["loss"]
        for event in read_rows(folder / "events.jsonl")
        if event["event"] == "log" and "loss" in event["metrics"]
    ]


@pytest.fixture
def kto(make_run, train, make_data, store, chat_model):
    def start(name, seed=0, rows=PAIRS[:8], **settings):
        run = make_run(RunConfig(method=KTO(**{**QUICK, **settings})), [ptx_kto], name, seed).at(store=store)
        train(run, chat_model, make_data(f"pairs-{name}", rows))
        return run

    return start


def test_kto_scores_the_first_rows_where_it_draws_few(kto, store, losses_of):
    few = {"rows": MANY, "batch_size": 4, "speed": Exact()}
    scored = kto("few", **few)
    found = {
        entry.ingredients["choice"]: read_json(entry.payload / "values.json") for entry in store.entries()
    }
    assert {name: len(values) for name, values in found.items()} == {"reference": 12, "reference_kl": 12}
    assert losses_of(scored) == losses_of(kto("every", cache_reference=False, **few))


def products(store):
    return sorted(entry.ingredients["choice"] for entry in store.entries() if entry.kind == "products")


@pytest.mark.parametrize(
    "settings",
    [{}, {"lora": Lora(r=4)}, {"loss": "apo_zero_unpaired"}, {"micro_batch": 4, "seed": 2, "max_length": 30}],
    ids=str,
)
def test_losses_of_kto_with_the_store_are_those_without_it_to_the_last_digit(kto, store, losses_of, settings):
    settings |= {"speed": Exact()}
    with_store, without = kto("with", **settings), kto("without", cache_reference=False, **settings)
    assert products(store) == ["reference", "reference_kl"][: 1 + (settings.get("loss") is None)]
    assert len(losses_of(with_store)) == 3
    assert losses_of(with_store) == losses_of(without)


def test_kto_shares_both_passes_over_beta_rate_loss_and_adapter_and_the_answers_over_seeds(kto, store):
    kto("first", max_steps=1)
    same = [
        {"beta": 0.5},
        {"learning_rate": 1e-2},
        {"desirable_weight": 2.0},
        {"lora": Lora(r=4)},
        {"loss": "apo_zero_unpaired"},
    ]
    for number, settings in enumerate(same):
        kto(f"same-{number}", max_steps=1, **settings)
    assert products(store) == ["reference", "reference_kl"]
    kto("seed", seed=1, max_steps=1)
    kto("size", micro_batch=2, max_steps=1)
    assert products(store) == ["reference", "reference_kl", "reference_kl", "reference_kl"]


def test_of_kto_changed_rows_or_lengths_miss(kto, store):
    kto("first", max_steps=1)
    kto("rows", rows=[*PAIRS[:7], {**PAIRS[7], "chosen": "it is four and ten"}], max_steps=1)
    kto("length", max_length=30, max_steps=1)
    assert products(store).count("reference") == 3


def test_kto_loads_no_reference_model_and_makes_no_pass_a_second_time(kto, losses_of, monkeypatch):
    first = kto("first")

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(other_reference, "load_reference", fail)
    monkeypatch.setattr(answers, "log_probabilities", fail)
    assert losses_of(kto("second")) == losses_of(first)
