"""Metric names as column heads."""

from ptx.report.table.metric_names import column_head, short_name, subject

ELSEWHERE = "latency/request_seconds @ Another CPU"


def test_unknown_metric_names_are_shown_as_they_are():
    assert column_head("judge/win_rate") == ("judge", "win rate")
    assert column_head("bench/tiny/exact_match") == ("bench · tiny", "exact match")
    assert column_head("odd_metric") == ("", "odd_metric")


def test_the_machine_of_a_time_stays_in_every_name():
    assert column_head(ELSEWHERE) == ("latency @ Another CPU", "request, median")
    assert short_name(ELSEWHERE) == "time per request, median @ Another CPU"


def test_short_names_are_words_for_a_sentence():
    names = ["bench/mean", "latency/decode_tokens_per_second", "size/bytes_on_disk", "size/parameters"]
    assert [short_name(name) for name in names] == [
        "bench mean",
        "latency decode",
        "size on disk",
        "parameters",
    ]


def test_a_latency_says_what_it_was_measured_of():
    assert subject("latency/p95_seconds") == "per request (p95)"
    assert subject("judge/win_rate") == "judge win rate"
