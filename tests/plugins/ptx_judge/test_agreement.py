import json
import os
from collections import Counter
from pathlib import Path

import pytest

from ptx_judge.agreement import of_judge, of_people, two, with_majority
from ptx_judge.verdicts import Pair, Stored, load

PANDALM = Path(os.environ.get("PTX_SHARED", "shared")) / "data" / "pandalm"


with_pandalm = pytest.mark.skipif(
    not PANDALM.is_dir(), reason="PandaLM's verdicts are not here ($PTX_SHARED/data/pandalm)"
)


def plain_kappa(a, b):
    """Cohen 1960, written out."""
    n, of_a, of_b = len(a), Counter(a), Counter(b)
    observed = sum(x == y for x, y in zip(a, b, strict=True)) / n
    chance = sum(of_a[label] * of_b[label] for label in of_a) / n**2
    return (observed - chance) / (1 - chance)


@with_pandalm
def test_pandalm_s_people_and_judges_agree_as_a_plain_script_says():
    _, persons, pairs, stored = load(PANDALM)
    rows = json.loads((PANDALM / "testset-v1.json").read_text())
    people = {name: [str(row[name]) for row in rows] for name in persons}
    found = {line.who: line for line in of_people(persons, pairs) if line.coefficient == "Cohen's kappa"}
    assert len(found) == 3
    for who, line in found.items():
        a, b = (people[name] for name in who.split(" and "))
        assert line.share == sum(x == y for x, y in zip(a, b, strict=True)) / 999
        assert line.value == pytest.approx(plain_kappa(a, b), abs=1e-12)
        assert line.low < line.value < line.high

    files = {"gpt": "gpt-3.5-turbo-testset-v1.json", "pandalm": "pandalm-7b-testset-v1.json"}
    assert {judge.name: judge.unreadable for judge in stored} == {"gpt": 25, "pandalm": 0}
    for judge in stored:
        said = {
            row["idx"]: str(row[f"{judge.name}_result"]).replace("Tie", "0")
            for row in json.loads((PANDALM / files[judge.name]).read_text())
        }
        kept = [place for place, row in enumerate(rows) if said[row["idx"]] in "012"]
        words = [said[rows[place]["idx"]] for place in kept]
        lines = {line.who: line for line in of_judge(judge, persons, pairs)}
        for name in persons:
            line = lines[f"{judge.name} and {name}"]
            assert line.value == pytest.approx(
                plain_kappa(words, [people[name][place] for place in kept]), abs=1e-12
            )
        most = [Counter(people[name][place] for name in persons).most_common(1)[0][0] for place in kept]
        assert lines[f"{judge.name} and the majority"].value == pytest.approx(
            plain_kappa(words, most), abs=1e-12
        )


@with_pandalm
def test_pandalm_s_people_together_agree_as_fleiss_and_krippendorff_count():
    _, persons, pairs, _ = load(PANDALM)
    table = [Counter(pair.labels) for pair in pairs]
    n, m = len(table), 3
    observed = sum(sum(count * (count - 1) for count in row.values()) for row in table) / (n * m * (m - 1))
    shares = [sum(row[label] for row in table) / (n * m) for label in "012"]
    fleiss = (observed - sum(share**2 for share in shares)) / (1 - sum(share**2 for share in shares))
    totals = [sum(row[label] for row in table) for label in "012"]
    expected = 1 - sum(total * (total - 1) for total in totals) / (n * m * (n * m - 1))
    found = {line.coefficient: line.value for line in of_people(persons, pairs)}
    assert found["Fleiss' kappa"] == pytest.approx(fleiss, abs=1e-12)
    assert found["Krippendorff's alpha"] == pytest.approx(1 - (1 - observed) / expected, abs=1e-12)


def pair(number, first, second, *labels):
    return Pair(str(number), "Say something.", (first, second), labels)


def test_two_raters_who_always_agree_have_kappa_one():
    found = two("a and b", ["1", "2", "0", "1"], ["1", "2", "0", "1"])
    assert (found.value, found.share, found.n) == (1.0, 1.0, 4)


def test_pairs_without_a_majority_or_a_verdict_are_left_out_of_the_agreement():
    pairs = [pair(0, "a", "b", "1", "1"), pair(1, "a", "b", "1", "2"), pair(2, "a", "b", "2", "2")]
    found = with_majority(Stored("judge", {"0": "1", "1": "1"}, 1), pairs)
    assert (found.who, found.n, found.share) == ("judge and the majority", 1, 1.0)
