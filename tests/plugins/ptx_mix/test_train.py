"""method=mix: plain SFT at weights 0, three losses otherwise, seeded streams, resuming, and data that lacks a
part.
"""

import json
import math

import pytest

import ptx_mix
import ptx_sft
from ptx import Lora, RunConfig
from ptx.compose.jobs import compose_jobs
from ptx.data import open_data
from ptx.errors import ConfigError
from ptx.hooks.host import get_host
from ptx.plan.planner import make_plan
from ptx.store.store import Store
from ptx.testing import check_plugin
from ptx_mix import Mix
from ptx_mix.streams import Stream
from ptx_sft import SFT


def chat(asked, reply):
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]}


MESSAGES = [chat(f"what is {n} plus {n}? ", f"it is {2 * n}") for n in range(16)]
PAIRS = [
    {"prompt": f"how are you on day {n}? ", "chosen": "well, thank you", "rejected": "who knows?"}
    for n in range(12)
]
SAFETY = [
    {
        "prompt": f"how do I break {what}? ",
        "harmful": harmful,
        "reference": "I cannot help" if harmful else f"with {n} hands",
    }
    for n, (what, harmful) in enumerate([("a lock", True), ("bread", False)] * 4)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0}


@pytest.fixture
def family(tmp_path):
    return write_family(tmp_path / "family")


def write_family(folder, **changes):
    folder.mkdir()
    for shape, rows in {"messages": MESSAGES, "pairs": PAIRS, "safety": SAFETY, **changes}.items():
        if rows:
            (folder / f"{shape}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def mix(make_run, train, chat_model, family):
    def start(name="mix", seed=0, store=None, **settings):
        run = make_run(RunConfig(method=Mix(**{**QUICK, **settings})), [ptx_mix], name, seed).at(store=store)
        return run, train(run, chat_model, open_data("family", family))

    return start


def shown(run, name):
    return [numbers[name] for numbers in run.console.progressed if name in numbers]


@pytest.mark.parametrize("more", [{}, {"micro_batch": 2, "lora": Lora(r=4)}], ids=str)
def test_with_weights_of_0_the_losses_are_those_of_sft_to_the_last_digit(
    mix, make_run, train, chat_model, family, losses_of, more
):
    mixed, _ = mix(lambda_pref=0, lambda_safe=0, seed=3, **more)
    plain = make_run(RunConfig(method=SFT(**QUICK, **more)), [ptx_sft], "sft", 3)
    train(plain, chat_model, open_data("family", family))
    assert len(losses_of(mixed)) == 3
    assert losses_of(mixed) == losses_of(plain)


def test_the_loss_is_the_weighted_sum_of_the_three(mix, losses_of):
    run, result = mix(lambda_pref=0.5, lambda_safe=0.25)
    parts = zip(*(shown(run, f"{name}_loss") for name in ("sft", "pref", "safety")), strict=True)
    assert losses_of(run) == pytest.approx(
        [sft + 0.5 * pref + 0.25 * safety for sft, pref, safety in parts], rel=1e-5
    )
    assert result.kind == "full"


def test_the_parts_of_the_first_step_are_those_of_plain_trl(mix, trl_losses, chat_model):
    run, _ = mix(max_steps=1)
    asked = [chat(row["prompt"], row["reference"]) for row in SAFETY]
    same = {"per_device_train_batch_size": 8, "max_steps": 1, "assistant_only_loss": True, "seed": 0}
    assert shown(run, "sft_loss") == pytest.approx(trl_losses("SFT", chat_model, MESSAGES, **same), rel=1e-5)
    assert shown(run, "safety_loss") == pytest.approx(
        trl_losses("SFT", chat_model, asked, **same), rel=1e-5
    )  # all 8 rows, in any order
    assert shown(run, "pref_loss") == pytest.approx([math.log(2)], rel=1e-5)


def test_micro_batches_give_the_same_preference_and_sft_losses(mix):
    whole, _ = mix("whole", lambda_safe=0)
    parts, _ = mix("parts", lambda_safe=0, micro_batch=2)
    for name in ("sft_loss", "pref_loss"):
        assert shown(parts, name) == pytest.approx(shown(whole, name), rel=1e-4)


def test_all_three_are_learnt(mix):
    run, _ = mix(max_steps=16, learning_rate=5e-3, lora=Lora(r=8))
    for name in ("sft_loss", "pref_loss", "safety_loss"):
        assert shown(run, name)[-1] < 0.8 * shown(run, name)[0], name


def test_a_training_that_was_stopped_goes_on_with_the_batches_it_had_come_to(
    mix, make_run, train, chat_model, family, losses_of
):
    whole, result = mix("whole", max_steps=5, checkpoint_every=3)
    broken = make_run(whole.config, [ptx_mix], "broken")

    def stop_at_four(metrics, step, total=None):
        if step == 4:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, open_data("family", family))
    resumed = make_run(whole.config, [ptx_mix], "broken")
    assert train(resumed, chat_model, open_data("family", family)).digest == result.digest
    assert losses_of(resumed) == losses_of(whole)[3:]


def test_a_sweep_over_the_weights_makes_one_reference_pass(mix, tmp_path):
    store = Store(tmp_path / "store")
    for number, weight in enumerate((0.1, 0.5, 1.0)):
        mix(f"run-{number}", store=store, lambda_pref=weight, max_steps=1, seed=number)
    assert [entry.ingredients["choice"] for entry in store.entries()] == ["reference"]


def test_a_stream_gives_every_row_once_per_epoch_in_an_order_of_the_seed():
    stream, same, other = (
        Stream(range(10), 4, 1, "x"),
        Stream(range(10), 4, 1, "x"),
        Stream(range(10), 4, 2, "x"),
    )
    batches = [stream.batch(number) for number in range(5)]
    assert sorted(row for batch in batches for row in batch) == sorted([*range(10), *range(10)])
    assert same.batch(3) == batches[3] != other.batch(3)
    assert sorted(Stream(range(3), 6, 0, "x").batch(7)) == [0, 0, 1, 1, 2, 2]


def planned(folder, model, *words):
    given = [f"model={model}", f"data={folder}", "method=mix", "eval=[]", "device=cpu", *words]
    return (
        make_plan(get_host(), "train", compose_jobs(get_host(), "train", given, multirun=False), "test")
        .runs[-1]
        .steps[0]
    )


@pytest.mark.parametrize("shape", ["pairs", "safety", "messages"])
def test_data_without_one_of_the_three_is_refused_and_the_shape_named(
    shape, tmp_path, chat_model, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        planned(write_family(tmp_path / "family", **{shape: []}), chat_model)
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"method=mix needs {shape}")


def test_safety_rows_that_do_not_say_what_to_answer_are_refused(tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{name: row[name] for name in ("prompt", "harmful")} for row in SAFETY]
    with pytest.raises(
        ConfigError, match=r"no safety row of .* has a reference answer; add a column reference"
    ):
        planned(write_family(tmp_path / "family", safety=rows), chat_model)


@pytest.mark.parametrize("shape", ["pairs", "safety", "messages"])
def test_the_rows_of_all_three_are_in_the_key(shape, tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = planned(write_family(tmp_path / "before"), chat_model)
    same = planned(write_family(tmp_path / "same", prompts=[{"prompt": "why?"}]), chat_model)
    fewer = {"messages": MESSAGES, "pairs": PAIRS, "safety": SAFETY}[shape][1:]
    after = planned(write_family(tmp_path / "after", **{shape: fewer}), chat_model)
    assert same.key == before.key != after.key


def test_the_recipe_combined_is_this_method(tmp_path, chat_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        "recipe=combined",
        "recipe.steps.mix.lambda_pref=0.1,0.5,1",
        f"model={chat_model}",
        f"data={write_family(tmp_path / 'family')}",
    ]
    jobs = compose_jobs(get_host(), "train", [*words, "eval=[]", "device=cpu"], multirun=True)
    assert [job.config.chain()["mix"].lambda_pref for job in jobs] == [0.1, 0.5, 1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"lambda_pref": -1.0},
            "method.lambda_pref must be at least 0, got -1.0; try method.lambda_pref=0.5",
        ),
        ({"lambda_safe": float("nan")}, "method.lambda_safe must be at least 0, got nan"),
        ({"beta": 0.0}, "method.beta must be positive, got 0.0"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        Mix(**settings)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_mix")
