"""Three cards: leaders with their peers and one warning each."""

from __future__ import annotations

from ptx.records import Metric
from ptx.report.decision.cards import within_noise
from tests.ptx.report.decision.worlds import decided, model

BASE = model("baseline", 0.5, 1e6, 1.0, baseline=True)


def cards(*records):
    return {card.kind: card for card in decided(*records)[2].cards}


def test_the_smallest_and_the_fastest_are_within_noise_of_the_best():
    found = cards(
        BASE, model("best", 0.7, 1e6, 1.0), model("near", 0.698, 5e5, 0.7), model("bad", 0.3, 1e5, 0.1)
    )
    assert [found[kind].row.label for kind in ("best", "smallest", "fastest")] == ["best", "near", "near"]
    assert [row.label for row in found["best"].peers] == ["near"]
    assert found["best"].title == "Highest quality measured"  # not "Best": another is within noise
    assert "2.0\N{MULTIPLICATION SIGN} smaller than the baseline" in found["smallest"].against


def test_a_clear_winner_is_called_the_best():
    frame, _, decision = decided(BASE, model("best", 0.7, 1e6, 1.0), model("bad", 0.3, 1e5, 0.1))
    assert decision.cards[0].title == "Best"
    assert [row.label for row in within_noise(frame)] == ["best"]


def test_a_card_without_a_measurement_says_what_to_add():
    found = cards(BASE, model("best", 0.7, 1e6))
    assert found["fastest"].row is None or found["fastest"].row.label == "baseline"
    found = cards(model("baseline", 0.5, 1e6, baseline=True), model("best", 0.7, 1e6))
    assert found["fastest"].value == "latency was not measured; add latency to eval=[...]"


def test_the_fastest_has_its_seconds_and_how_many_times_faster_it_is():
    seconds = Metric("latency/request_seconds", 0.237, "seconds", "lower", 0.233, 0.252, 40)
    found = cards(BASE, model("quick", 0.5, 1e6, 0.25, extra=[seconds]))["fastest"]
    assert found.value.replace("\N{NO-BREAK SPACE}", " ") == "237 ms [233, 252] per request (median)"
    assert found.against.replace("\N{MULTIPLICATION SIGN}", "x") == (
        "4.0x faster [3.7, 4.3] than the baseline, measured in turns"
    )


def test_the_strongest_warning_is_the_least_safe():
    def rate(value):
        return Metric(
            "safety/harmful_compliance_rate", value, "fraction", "lower", value - 0.01, value + 0.01, 900
        )

    base = model("baseline", 0.5, 1e6, 1.0, baseline=True, extra=[rate(0.02)])
    found = cards(base, model("best", 0.7, 1e6, 1.0, extra=[rate(0.3)]))
    assert found["best"].warning.startswith("less safe: safety harmful compliance rate 0.300 [0.290, 0.310]")
