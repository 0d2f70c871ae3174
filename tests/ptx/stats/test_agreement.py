import math

import numpy as np
import pytest

from ptx.stats import cohen_kappa, fleiss_kappa, krippendorff_alpha, proportion

# Krippendorff 2011, part C: four observers, twelve units, missing ratings
A = [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None]
B = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3]
C = [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None]
D = [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None]
KRIPPENDORFF = list(zip(A, B, C, D, strict=True))

# Fleiss 1971 in Wikipedia's form: ten subjects, fourteen raters, five categories
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def from_table(table):
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in pairs], [j for _, j in pairs]


def rated(generator, n, labels, raters, right, shares):
    """Raters who see the true label with probability ``right`` and guess evenly otherwise."""
    true = generator.choice(labels, n, p=shares)
    seen = generator.random((n, raters)) < right
    return np.where(seen, true[:, None], generator.integers(0, labels, (n, raters))).tolist()


def true_agreement(labels, right, shares):
    """The coefficient that such raters have in the long run."""
    given = np.full((labels, labels), (1 - right) / labels) + right * np.eye(
        labels
    )  # true label, label given
    chance = float(((np.array(shares) @ given) ** 2).sum())
    return (float(np.array(shares) @ (given**2).sum(axis=1)) - chance) / (1 - chance)


def covered(measure, truth, draw, repeats=2000, seed=3):
    generator = np.random.default_rng(seed)
    found = (measure(draw(generator)) for _ in range(repeats))
    return sum(low <= truth <= high for _, low, high in found) / repeats


def test_cohen_kappa_is_the_textbook_value():
    # Cohen's formula by hand: agreement .7, chance .5 * .6 + .5 * .4
    assert cohen_kappa(*from_table([[20, 5], [10, 15]]))[0] == pytest.approx(0.4)


def test_cohen_kappa_error_is_that_of_fleiss_cohen_and_everitt():
    # Fleiss 1981, table 13.1 and eq. 13.15 (100 diagnoses): kappa .68, standard error .087
    kappa, low, high = cohen_kappa(*from_table([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert kappa == pytest.approx(0.676, abs=5e-4)
    half = (math.atanh(high) - math.atanh(low)) / 2
    assert half * (1 - kappa**2) / 1.98421695 == pytest.approx(0.0877, abs=2e-4)  # t of 99 degrees of freedom


def test_cohen_kappa_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with lm-eval")
    columns = np.array(rated(np.random.default_rng(0), 80, 4, 2, 0.6, [0.4, 0.3, 0.2, 0.1])).T.tolist()
    assert cohen_kappa(*columns)[0] == pytest.approx(metrics.cohen_kappa_score(*columns))


def test_perfect_agreement_on_a_few_items_is_not_proof():
    kappa, low, high = cohen_kappa(["a", "b"] * 10, ["a", "b"] * 10)
    assert (kappa, high) == (1.0, 1.0)
    assert low == pytest.approx((proportion(20, 20)[0] - 0.5) / 0.5)


def test_one_label_leaves_nothing_to_agree_on():
    for found in (
        cohen_kappa(["a"] * 9, ["a"] * 9),
        fleiss_kappa([["a", "a"]] * 9),
        krippendorff_alpha([["a", "a"]] * 9),
    ):
        assert math.isnan(found[0])
        assert found[1:] == (-math.inf, math.inf)


def test_always_answering_the_same_has_no_kappa_however_often_it_is_right():
    assert cohen_kappa(["safe"] * 74 + ["unsafe"] * 26, ["safe"] * 100)[0] == pytest.approx(0.0, abs=1e-12)


def test_fleiss_kappa_is_the_published_value():
    table = [[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    value, low, high = fleiss_kappa(table)
    assert value == pytest.approx(0.2099, abs=5e-5)
    assert low < value < high


def test_krippendorff_alpha_is_the_published_value_with_missing_ratings():
    assert krippendorff_alpha(KRIPPENDORFF)[0] == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(KRIPPENDORFF, scale="interval")[0] == pytest.approx(0.849, abs=5e-4)


def test_krippendorff_alpha_is_one_minus_observed_over_expected_disagreement():
    """The definition, pair by pair."""
    rows = [[v for v in row if v is not None] for row in KRIPPENDORFF]
    rows = [row for row in rows if len(row) > 1]
    pool = [value for row in rows for value in row]
    observed = sum(sum(x != y for x in row for y in row) / (len(row) - 1) for row in rows) / len(pool)
    expected = sum(x != y for x in pool for y in pool) / (len(pool) * (len(pool) - 1))
    assert krippendorff_alpha(KRIPPENDORFF)[0] == pytest.approx(1 - observed / expected)


def test_uneven_tables_are_refused():
    with pytest.raises(ValueError, match="same number of raters"):
        fleiss_kappa([["a", "b"], ["a"]])
    with pytest.raises(ValueError, match="two ratings of every item"):
        cohen_kappa(["a"], [])


@pytest.mark.parametrize(
    ("n", "labels", "right", "shares"), [(60, 3, 0.8, [0.4, 0.4, 0.2]), (100, 2, 0.97, [0.9, 0.1])]
)
def test_cohen_kappa_covers_as_often_as_it_says(n, labels, right, shares):
    truth = true_agreement(labels, right, shares)
    measure = lambda rows: cohen_kappa([a for a, _ in rows], [b for _, b in rows])
    assert covered(measure, truth, lambda g: rated(g, n, labels, 2, right, shares)) == pytest.approx(
        0.95, abs=0.02
    )


def test_fleiss_kappa_covers_as_often_as_it_says():
    shares = [0.4, 0.4, 0.2]
    found = covered(fleiss_kappa, true_agreement(3, 0.8, shares), lambda g: rated(g, 60, 3, 3, 0.8, shares))
    assert found == pytest.approx(0.95, abs=0.02)


def test_krippendorff_alpha_covers_as_often_as_it_says_with_a_fifth_missing():
    def draw(generator):
        rows = rated(generator, 80, 3, 3, 0.8, [0.4, 0.4, 0.2])
        return [[None if generator.random() < 0.2 else label for label in row] for row in rows]

    assert covered(krippendorff_alpha, true_agreement(3, 0.8, [0.4, 0.4, 0.2]), draw) == pytest.approx(
        0.95, abs=0.02
    )
