"""The k likeliest words and the rest: exact at the nodes, and one pass for all temperatures."""

import pytest
import torch

from ptx_distill import topk
from ptx_distill.loss import divergence, softened


@pytest.fixture
def scores():
    """Like a language model's: a few likely words, many that are not."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(20, 500, generator=generator) * 2.5 for _ in range(2)]


def over(scores, k, temperature, kind="forward_kl"):
    teacher, student = scores
    found = topk.targets(teacher, k)
    return divergence(
        kind, topk.teacher_at(found, temperature), topk.student_at(student, found, temperature), 0.5
    )


def exact(scores, temperature, kind="forward_kl"):
    return divergence(kind, *(softened(part, temperature) for part in scores), 0.5)


@pytest.mark.parametrize("k", [0, 500, 10_000])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_all_words_give_the_result_without_a_selection_to_the_last_digit(scores, k, temperature):
    found = topk.targets(scores[0], k)
    assert found.words is None
    expected = divergence(
        "forward_kl", softened(softened(scores[0], 1.0), temperature), softened(scores[1], temperature), 0.5
    )
    assert torch.equal(over(scores, k, temperature), expected)
    assert torch.allclose(expected, exact(scores, temperature), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0, 20.0])
def test_the_rest_is_known_at_every_temperature_from_one_pass(scores, temperature):
    found = topk.targets(scores[0], 32)
    whole = softened(scores[0], temperature)
    rest = whole.scatter(-1, found.words.long(), -torch.inf).logsumexp(-1)
    stored = topk.teacher_at(found, temperature)
    assert torch.allclose(stored[:, -1], rest, atol=5e-3)
    assert torch.allclose(stored[:, :-1], whole.gather(-1, found.words.long()), atol=5e-3)
    assert torch.allclose(stored.exp().sum(-1), torch.ones(20), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_at_the_nodes_it_is_exact(scores, temperature):
    found = topk.targets(scores[0], 8)
    rest = softened(scores[0], temperature).scatter(-1, found.words.long(), -torch.inf).logsumexp(-1)
    assert torch.allclose(topk.teacher_at(found, temperature)[:, -1], rest, atol=1e-5)


@pytest.mark.parametrize("kind", ["forward_kl", "reverse_kl", "jsd"])
def test_more_words_only_add_to_the_divergence_up_to_that_over_all(scores, kind):
    values = [over(scores, k, 1.0, kind) for k in (1, 4, 32, 256, 499)]
    for fewer, more in zip(values, [*values[1:], exact(scores, 1.0, kind)], strict=True):
        assert (fewer <= more + 1e-5).all()
    assert torch.allclose(values[-1], exact(scores, 1.0, kind), atol=1e-3)


def test_a_student_that_equals_the_teacher_loses_nothing_and_one_that_strays_outside_does(scores):
    teacher = scores[0]
    assert over([teacher, teacher], 4, 1.0).abs().max() < 1e-5
    found = topk.targets(teacher, 4)
    strays = teacher + 3.0
    strays = strays.scatter(-1, found.words.long(), teacher.gather(-1, found.words.long()))
    assert (over([teacher, strays], 4, 1.0) > 0.05).all()


def test_the_gradient_pulls_probability_out_of_the_rest(scores):
    teacher, student = scores[0], torch.zeros(20, 500, requires_grad=True)
    over([teacher, student], 32, 1.0).sum().backward()
    words = topk.targets(teacher, 32).words.long()
    inside = student.grad.gather(-1, words).sum(-1)
    assert (inside < 0).all()
    assert torch.allclose(student.grad.sum(-1), torch.zeros(20), atol=1e-5)


def test_words_that_a_teacher_rules_out_are_no_trouble():
    teacher = torch.tensor([[2.0, 1.0, -torch.inf, -torch.inf]])
    student = torch.zeros(1, 4)
    for k in (0, 1, 2):
        for temperature in (1.0, 2.0, 3.0):
            assert torch.isfinite(over([teacher, student], k, temperature)).all(), (k, temperature)
