"""The losses: closed forms, directions of gradients, masking, and slow plain references."""

import math

import pytest
import torch

from ptx_distill import loss

NAMES = loss.DIVERGENCES


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(5, 7, generator=generator, dtype=torch.float64) * 2 for _ in range(2)]


def log_p(values):
    return torch.tensor([values], dtype=torch.float64).log()


def value(name, p, q, beta=0.5):
    return float(loss.divergence(name, log_p(p), log_p(q), beta))


def test_closed_forms_on_two_words():
    p, q = [0.75, 0.25], [0.5, 0.5]
    forward = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    reverse = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(2)
    assert value("forward_kl", p, q) == pytest.approx(forward)
    assert value("reverse_kl", p, q) == pytest.approx(reverse)
    m = [0.625, 0.375]
    assert value("jsd", p, q) == pytest.approx((value("forward_kl", p, m) + value("forward_kl", q, m)) / 2)


@pytest.mark.parametrize("name", NAMES)
def test_equal_distributions_lose_nothing(name, scores):
    found = scores[0].log_softmax(-1)
    assert loss.divergence(name, found, found, 0.3).tolist() == pytest.approx([0] * 5, abs=1e-12)


def test_jsd_is_symmetric_and_at_most_log_2_at_a_half_and_tends_to_both_kls():
    p, q = [0.9, 0.1], [0.2, 0.8]
    assert value("jsd", p, q) == pytest.approx(value("jsd", q, p))
    assert value("jsd", [1.0, 0.0], [0.0, 1.0]) == pytest.approx(math.log(2))
    assert value("jsd", p, q, 1e-6) / 1e-6 == pytest.approx(value("forward_kl", p, q), rel=1e-4)
    assert value("jsd", p, q, 1 - 1e-6) / 1e-6 == pytest.approx(value("reverse_kl", p, q), rel=1e-4)


def test_a_word_that_has_no_probability_adds_nothing():
    assert value("forward_kl", [1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert value("forward_kl", [1.0, 0.0], [1.0, 0.0]) == 0
    assert value("reverse_kl", [0.5, 0.5], [1.0, 0.0]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_against_the_gradient_brings_the_student_nearer(name, scores):
    teacher, student = scores[0].log_softmax(-1), scores[1].clone().requires_grad_()
    before = loss.divergence(name, teacher, student.log_softmax(-1), 0.4).sum()
    before.backward()
    after = loss.divergence(name, teacher, (student - 0.1 * student.grad).log_softmax(-1), 0.4).sum()
    assert after < before
    assert torch.isfinite(student.grad).all()


def test_the_gradient_of_forward_kl_is_q_minus_p(scores):
    teacher, student = scores[0].log_softmax(-1), scores[1].clone().requires_grad_()
    loss.forward_kl(teacher, student.log_softmax(-1)).sum().backward()
    assert torch.allclose(student.grad, student.softmax(-1).detach() - teacher.exp())


def test_reverse_kl_leaves_out_a_mode_and_forward_kl_does_not():
    two_modes, one_mode, broad = [0.49, 0.02, 0.49], [0.97, 0.02, 0.01], [0.34, 0.32, 0.34]
    assert value("reverse_kl", two_modes, one_mode) < value("forward_kl", two_modes, one_mode)
    assert value("forward_kl", two_modes, broad) < value("forward_kl", two_modes, one_mode)


@pytest.mark.parametrize("name", NAMES)
def test_every_token_is_on_its_own(name, scores):
    teacher, student = (part.log_softmax(-1) for part in scores)
    whole = loss.divergence(name, teacher, student, 0.3)
    assert torch.allclose(whole[[0, 3]], loss.divergence(name, teacher[[0, 3]], student[[0, 3]], 0.3))


@pytest.mark.parametrize("name", NAMES)
def test_divergences_agree_with_a_slow_reference(name, scores):
    teacher, student = (part.softmax(-1).tolist() for part in scores)
    beta = 0.3

    def kl(p, q):
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    def slow(p, q):
        m = [beta * a + (1 - beta) * b for a, b in zip(p, q, strict=True)]
        return {
            "forward_kl": kl(p, q),
            "reverse_kl": kl(q, p),
            "jsd": beta * kl(p, m) + (1 - beta) * kl(q, m),
        }[name]

    found = loss.divergence(name, scores[0].log_softmax(-1), scores[1].log_softmax(-1), beta)
    assert found.tolist() == pytest.approx([slow(p, q) for p, q in zip(teacher, student, strict=True)])


@pytest.mark.parametrize("beta", [0.2, 0.5])
def test_jsd_is_that_of_trl_gkd(scores, beta):
    from ptx.lm.load import quiet

    quiet()
    from trl.experimental.gkd import GKDTrainer

    ours = loss.jsd(scores[0].log_softmax(-1), scores[1].log_softmax(-1), beta).sum()
    assert float(ours) == pytest.approx(
        float(GKDTrainer.generalized_jsd_loss(scores[1], scores[0], beta=beta, reduction="sum"))
    )


def test_the_squared_temperature_keeps_the_size_of_small_gradients(scores):
    """For scores far below T the gradient of T^2 KL is (q - p) / V (Hinton et al. 2015, equation 4)."""
    teacher, student = (part * 1e-3 for part in scores)
    gradients = []
    for temperature in (1.0, 4.0):
        leaf = student.clone().requires_grad_()
        soft = [loss.softened(part, temperature).double() for part in (teacher, leaf)]
        (loss.gradient_scale(temperature) * loss.forward_kl(*soft).sum()).backward()
        gradients.append(leaf.grad)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-2, atol=1e-6)


def test_softening_flattens_and_1_changes_nothing(scores):
    assert torch.allclose(loss.softened(scores[0], 1.0).double(), scores[0].log_softmax(-1), atol=1e-5)
    assert loss.softened(scores[0], 4.0).max() < loss.softened(scores[0], 1.0).max()


def test_cross_entropy_is_the_negative_log_probability_of_the_word_in_the_data(scores):
    labels = torch.tensor([0, 1, 2, 3, 4])
    expected = [
        -math.log(row[label])
        for row, label in zip(scores[0].softmax(-1).tolist(), labels.tolist(), strict=True)
    ]
    assert loss.imitation(scores[0], labels).tolist() == pytest.approx(expected, rel=1e-5)
    leaf = scores[0].clone().requires_grad_()
    loss.imitation(leaf, labels).sum().backward()
    assert (leaf.grad.gather(1, labels[:, None]) < 0).all()
    assert torch.allclose(
        loss.imitation(scores[0][[1, 4]], labels[[1, 4]]), loss.imitation(scores[0], labels)[[1, 4]]
    )


def test_hints_are_0_at_the_teacher_1_at_the_origin_and_the_same_at_any_size():
    teacher = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    assert loss.hint(teacher, teacher, None).tolist() == [0, 0]
    assert loss.hint(torch.zeros(2, 2), teacher, None).tolist() == pytest.approx([1, 1])
    assert loss.hint(torch.tensor([[3.0, 0.0]]), teacher[:1], None).tolist() == pytest.approx([16 / 25])


def test_hints_teach_the_student_and_the_projection():
    generator = torch.Generator().manual_seed(0)
    student, teacher, projection = (
        torch.randn(size, generator=generator).requires_grad_() for size in ((6, 3), (6, 5), (5, 3))
    )
    before = loss.hint(student, teacher.detach(), projection).sum()
    before.backward()
    after = loss.hint(
        student - 0.05 * student.grad, teacher.detach(), projection - 0.05 * projection.grad
    ).sum()
    assert after < before
    assert teacher.grad is None


def test_hints_agree_with_a_slow_reference_and_every_token_is_on_its_own():
    generator = torch.Generator().manual_seed(0)
    student, teacher, projection = (
        torch.randn(size, generator=generator) for size in ((6, 3), (6, 5), (5, 3))
    )
    found = loss.hint(student, teacher, projection)
    for row in range(6):
        guess = [sum(float(projection[h, s] * student[row, s]) for s in range(3)) for h in range(5)]
        error = sum((float(t) - g) ** 2 for t, g in zip(teacher[row], guess, strict=True))
        assert float(found[row]) == pytest.approx(error / sum(float(t) ** 2 for t in teacher[row]), rel=1e-4)
    assert torch.allclose(loss.hint(student[2:4], teacher[2:4], projection), found[2:4])


@pytest.fixture
def states():
    """Of a teacher, (2, 5, 12), and a narrower student, (2, 5, 8)."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 5, width, generator=generator) for width in (12, 8)]


def test_relations_by_hand():
    """The first token relates to itself, the second to both: softmax of (s2.s1, s2.s2) / sqrt(width)."""
    found = loss.relations(torch.tensor([[[2.0, 0.0], [1.0, 1.0]]]), 1).exp()[0, 0]
    weights = [math.exp(2 / math.sqrt(2)), math.exp(2 / math.sqrt(2))]
    assert found[0].tolist() == [1.0, 0.0]
    assert found[1].tolist() == pytest.approx([weights[0] / sum(weights), weights[1] / sum(weights)])
    turned = loss.relations(torch.tensor([[[0.0, 2.0], [1.0, -1.0]]]), 1).exp()[0, 0]
    assert turned[1].tolist() == pytest.approx(
        [math.exp(-math.sqrt(2)) / (math.exp(-math.sqrt(2)) + math.exp(math.sqrt(2))), 0.9442], abs=1e-4
    )


def test_relations_lose_nothing_to_themselves_or_to_a_rotation_within_their_heads(states):
    teacher, _ = states
    assert float(loss.relation_gap(teacher, teacher, 3).abs().max()) < 1e-6
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1)))[0]
    rotated = (teacher.reshape(2, 5, 3, 4) @ rotation).reshape(2, 5, 12)
    assert float(loss.relation_gap(teacher, rotated, 3).abs().max()) < 1e-5
    assert float(loss.relation_gap(teacher, rotated, 2).max()) > 1e-2


def test_relations_teach_a_student_of_another_width_and_not_the_teacher(states):
    teacher, student = states[0].requires_grad_(), states[1].requires_grad_()
    before = loss.relation_gap(teacher.detach(), student, 2).sum()
    before.backward()
    after = loss.relation_gap(teacher.detach(), student - 0.1 * student.grad, 2).sum()
    assert after < before
    assert teacher.grad is None
    assert torch.isfinite(student.grad).all()


def test_a_relation_does_not_see_what_comes_later_so_padding_changes_nothing(states):
    teacher, student = states
    whole = loss.relation_gap(teacher, student, 4)
    for part in (teacher, student):
        part[:, 3:] = 100.0
    assert torch.equal(loss.relation_gap(teacher, student, 4)[:, :3], whole[:, :3])
    assert torch.allclose(loss.relation_gap(teacher[1:, :3], student[1:, :3], 4), whole[1:, :3])
    assert whole[:, 0].tolist() == pytest.approx([0, 0])  # the first token relates to itself alone


def test_relations_agree_with_a_slow_reference(states):
    def slow(rows, heads, head, place):
        size = len(rows[0]) // heads
        own = [row[head * size : (head + 1) * size] for row in rows]
        scores = [
            sum(a * b for a, b in zip(own[place], own[other], strict=True)) / math.sqrt(size)
            for other in range(place + 1)
        ]
        weights = [math.exp(score) for score in scores]
        return [weight / sum(weights) for weight in weights]

    teacher, student = states
    found = loss.relation_gap(teacher, student, 4)
    for text in range(2):
        for place in range(5):
            gaps = []
            for head in range(4):
                p, q = (slow(part[text].tolist(), 4, head, place) for part in states)
                gaps.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
            assert float(found[text, place]) == pytest.approx(sum(gaps) / 4, rel=1e-3, abs=1e-6)


def test_relation_heads_divide_both_widths_and_leave_16_numbers_to_each():
    assert loss.relation_heads(768, 384) == 24
    assert loss.relation_heads(192, 96) == 6
    assert loss.relation_heads(48, 32) == 2  # grouped keys of a few heads
    assert loss.relation_heads(36, 8) == 1
    assert loss.relation_heads(36, 8, 4) == 4
    with pytest.raises(ValueError, match="5 relation heads do not divide widths of 36 and 8; 1, 2, 4 do"):
        loss.relation_heads(36, 8, 5)
