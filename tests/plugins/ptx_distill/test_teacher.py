"""The stored outputs of the teacher: equal to the live ones, and shared only where they are the same."""

import pytest

import ptx_distill.teacher
from ptx import Lora
from ptx.config import Exact
from ptx_distill import Distill


def passes(shelf):
    return [entry for entry in shelf.entries() if entry.kind == "products"]


EQUAL = [
    {},
    {"top_k": 4, "temperature": 3.0},
    {"top_k": 0},
    {"micro_batch": 2, "seed": 3},
    {"divergence": "jsd", "data_weight": 0.5},
    {"divergence": "reverse_kl", "lora": Lora(r=4)},
    {"assistant_only": False, "max_length": 30},
]


@pytest.mark.parametrize("settings", EQUAL, ids=str)
def test_losses_with_the_stored_teacher_are_those_of_the_live_one_to_the_last_digit(
    teach, shelf, losses_of, settings
):
    settings |= {"speed": Exact()}
    stored, _ = teach(Distill, "with", **settings)
    assert [entry.ingredients["choice"] for entry in passes(shelf)] == ["teacher"]
    asked, _ = teach(Distill, "without", cache_teacher=False, **settings)
    assert len(passes(shelf)) == 1
    assert len(losses_of(stored)) == 3
    assert losses_of(stored) == losses_of(asked)


def test_a_teacher_that_reads_texts_in_batches_gives_the_losses_of_exact_to_rounding(teach, losses_of):
    exact, _ = teach(Distill, "exact", speed=Exact())
    for name, settings in {"fast": {}, "live": {"cache_teacher": False}}.items():
        run, _ = teach(Distill, name, **settings)
        assert losses_of(run) == pytest.approx(losses_of(exact), rel=1e-5), name


def test_the_teacher_is_not_loaded_a_second_time(teach, losses_of, monkeypatch):
    first, _ = teach(Distill, "first")

    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(ptx_distill.teacher, "load_model", fail)
    assert losses_of(teach(Distill, "second")[0]) == losses_of(first)


SAME = [
    *(
        {"temperature": 2.0},
        {"learning_rate": 1e-2},
        {"divergence": "jsd"},
        {"seed": 1},
        {"lora": Lora(r=4)},
        {"data_weight": 0.5},
    ),
    *(
        {"logits_weight": 0.3},
        {"batch_size": 4},
        {"micro_batch": 2},
        {"max_length": 200},
        {"layers": 1},
        {"dtype": "bfloat16"},
    ),
]


def test_temperature_rate_weights_loss_seed_adapter_and_student_share_one_pass(teach, shelf):
    teach(Distill, "first", max_steps=1)
    for number, settings in enumerate(SAME):
        teach(Distill, f"other-{number}", **{"batch_size": 8, **settings, "max_steps": 2})
        assert len(passes(shelf)) == 1, settings


MISSES = [
    {"top_k": 5},
    {"top_k": 0},
    {"max_length": 30},
    {"assistant_only": False},
    {"rows": "fewer"},
    {"teacher": "student"},
]


def test_whatever_changes_what_the_teacher_says_makes_another_pass(
    messages, teach, shelf, chat_model, monkeypatch
):
    teach(Distill, "first", max_steps=1)
    for number, settings in enumerate(MISSES):
        given = dict(settings)
        if "rows" in given:
            given["rows"] = messages[:-1]
        if "teacher" in given:
            given |= {"teacher": chat_model, "layers": 1}
        teach(Distill, f"other-{number}", max_steps=1, **given)
        assert len(passes(shelf)) == number + 2, settings
    monkeypatch.setattr(ptx_distill.teacher.machine, "versions", lambda names: dict.fromkeys(names, "2000.1"))
    teach(Distill, "libraries", max_steps=1)
    assert len(passes(shelf)) == len(MISSES) + 2
