"""A user's regular expression ends: with its result, or with an error that names it."""

import json
import re
import threading
import time

import pytest

from ptx.errors import ConfigError, StepError
from ptx.guard import patterns
from ptx.guard.patterns import SlowPatternError, found_in, limited, of_user

SLOW, TEXT = r"(a+)+$", "a" * 40 + "b"


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.05)


@pytest.mark.parametrize(
    "search",
    [
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").search(TEXT),
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").findall(TEXT),
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").finditer(TEXT),
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").sub("", TEXT),
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").split(TEXT),
        lambda: of_user("(a|a)+", "scorer.regex.pattern", "'x'").fullmatch(TEXT),
        lambda: of_user(SLOW, "scorer.regex.pattern", "'x'").match(TEXT),
    ],
)
def test_a_search_that_takes_for_ever_ends_and_is_named(search):
    with pytest.raises(SlowPatternError, match=r"^scorer\.regex\.pattern: the pattern '.*41 characters.*a\+"):
        search()


def test_the_error_is_one_of_the_plan_and_one_of_a_step_and_moves_to_its_place():
    with pytest.raises(SlowPatternError) as raised:
        patterns.sub(SLOW, "", TEXT)
    assert isinstance(raised.value, ConfigError)
    assert isinstance(raised.value, StepError)
    assert str(raised.value.at("t.yaml, item 3")).startswith(f"t.yaml, item 3: the pattern {SLOW!r}")


def test_a_library_that_searches_for_a_users_pattern_is_ended_too():
    import jsonschema

    said = r"q\.jsonl line 2, schema: a pattern does not end"
    with pytest.raises(SlowPatternError, match=said), limited("", TEXT, "q.jsonl line 2, schema"):
        jsonschema.validate(TEXT, {"type": "string", "pattern": SLOW})


def test_an_outer_limit_goes_on_behind_an_inner_one():
    def inner_and_on():
        with limited("outer"):
            assert patterns.compile("b").search("ab")
            began = time.thread_time()
            while time.thread_time() < began + 2:
                pass

    with pytest.raises(SlowPatternError, match="outer"):
        inner_and_on()
    assert patterns.compile("b").search("ab"), "and the next search has its own"


def test_time_that_other_threads_use_is_not_the_searchs():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            sum(range(1000))

    other = threading.Thread(target=busy)
    other.start()
    try:
        with limited("waits"):
            time.sleep(0.3)
    finally:
        stop.set()
        other.join()


def test_in_another_thread_a_search_gives_its_result():
    found = []
    thread = threading.Thread(target=lambda: found.append(patterns.compile("b+").search("abb")[0]))
    thread.start()
    thread.join()
    assert found == ["bb"]


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(" * 5000, "a{99999999999999999999}", 3, None, []])
def test_what_is_no_regular_expression_is_refused_with_its_place(pattern):
    with pytest.raises(ValueError, match=r"^f\.yaml: .* is no regular expression \(.*\); try 'x'$"):
        of_user(pattern, "f.yaml", "'x'")


def test_results_are_those_of_re():
    text = json.dumps({"a": "x1, y22; z"})
    for pattern in (r"\w\d+", r"(\w)(\d*)", r"", r"[,;] ?"):
        own = patterns.compile(pattern)
        assert own.findall(text) == re.findall(pattern, text)
        assert own.split(text, 2) == re.split(pattern, text, maxsplit=2)
        assert own.sub("<>", text, 2) == re.sub(pattern, "<>", text, count=2)
        assert [m.span() for m in own.finditer(text)] == [m.span() for m in re.finditer(pattern, text)]
    assert found_in(["q_proj", "^lm"], "layers.0.q_proj")
    assert not found_in(["^q_proj"], "layers.0.q_proj")
