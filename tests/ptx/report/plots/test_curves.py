"""Training curves."""

from tests.ptx.report.pages import texts


def test_a_shared_training_curve_is_drawn_once(demo_report):
    html, _ = texts(demo_report)
    assert html.count('class="spark"') == 5  # a loss for each of four methods, and the reward of grpo
    assert "shared by 3 rows" in html
