"""A judge behind an OpenAI-compatible endpoint, asked through the openai client.

The client waits and retries by itself (429 with Retry-After, 5xx, timeouts, lost connections; exponential
backoff with jitter). This module adds:

- A reply that is not a chat completion is retried too.
- At most ``concurrency`` questions are open at a time, and the budget is kept.
- Every reply is written to the journal at once. Questions that were open when the process was killed are
  asked again under the same ``Idempotency-Key``. A server that knows this header bills them once; others may
  see at most ``concurrency`` questions twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx import Run, Score, StepError
from ptx.files import digest_of
from ptx.guard.secrets import resolved, resolved_inside
from ptx.lm.progress import Pace
from ptx_judge.config import Endpoint
from ptx_judge.journal import Journal, path_of
from ptx_judge.rubric import NAN, Request, requests, verdict

REFUSED = (400, 413, 422)  # only this question is refused; others may be accepted
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds
ELSEWHERE = "ptx-redirected-to"  # a header that is added to a reply whose redirect is refused
SHOWN = 300  # characters of a server's reply in an error


def score(
    run: Run, scorer: Endpoint, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[Score]:
    """Verdicts in order; nan with the status "failed" for a question that the server refuses.

    Raises:
        StepError: the server cannot be reached, rejects the key, refuses everything, or the budget is too
            small.
    """
    asked = [
        body(scorer, request)
        for request in requests(scorer.asked, prompts, completions, references, pair=scorer.compare)
    ]
    keys = [digest_of({"base_url": scorer.base_url, **one}) for one in asked]
    with Journal(
        journal_path(scorer), lambda: run.say("waiting for another process, which is asking the same judge")
    ) as journal:
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in journal.replies}
        failed: dict[str, str] = {}
        if missing:
            known = (
                f"; {len(set(keys)) - len(missing)} replies are known"
                if len(missing) < len(set(keys))
                else ""
            )
            run.say(
                f"{len(missing)} question{'s' * (len(missing) != 1)} for {scorer.model} at"
                f" {scorer.base_url}{known}"
            )
            failed = Asking(run, scorer, journal).all(missing)
        if len(failed) == len(missing) == len(set(keys)):
            raise StepError(f"{scorer.base_url} refuses every question: {next(iter(failed.values()))}")
        return [
            (
                Score(NAN, "failed", failed[key])
                if key in failed
                else verdict(str(journal.replies[key]["reply"]), pair=scorer.compare)
            )
            for key in keys
        ]


def journal_path(scorer: Endpoint) -> Path:
    """The journal's file, one per server and model."""
    return path_of(f"endpoint-{digest_of([scorer.base_url, scorer.model])[:16]}")


def body(scorer: Endpoint, request: Request) -> dict[str, Any]:
    """The arguments of the request."""
    ours = {
        "model": scorer.model,
        "messages": request.messages,
        "temperature": scorer.temperature,
        "max_tokens": scorer.max_tokens,
    }
    return {name: value for name, value in {**ours, **scorer.args}.items() if value is not None}


@dataclass
class Budget:
    """Requests and tokens that a sweep has spent, shared by the threads that spend them."""

    scorer: Endpoint
    requests: int
    tokens: int
    guard: threading.Lock = field(default_factory=threading.Lock)

    def check(self, count: int) -> None:
        """Raise if ``count`` more questions do not fit, before the first one costs anything."""
        most = self.scorer.max_requests
        if most is not None and self.requests + count > most:
            raise StepError(
                f"{count} questions are to be asked, and {self.requests} of"
                f" scorer.endpoint.max_requests={most} are spent in this sweep; allow at least"
                f" {self.requests + count}, or ask less with eval.judge.limit"
            )

    def begin_request(self) -> None:
        """Count one request, or raise if the budget is spent."""
        with self.guard:
            for spent, name in ((self.requests, "max_requests"), (self.tokens, "max_spent_tokens")):
                most = getattr(self.scorer, name)
                if most is not None and spent >= most:
                    raise StepError(
                        f"the budget scorer.endpoint.{name}={most} is spent; the replies so far are kept;"
                        " raise it and run the same command again"
                    )
            self.requests += 1

    def end_request(self, retries: int, tokens: int | None) -> None:
        """Count a reply's retries and tokens."""
        if tokens is None and self.scorer.max_spent_tokens is not None:
            raise StepError(
                "scorer.endpoint.max_spent_tokens is set, but the server does not report its tokens; set"
                " max_requests instead"
            )
        with self.guard:
            self.requests += retries
            self.tokens += tokens or 0


class Asking:
    """Asks one evaluation's questions, several at a time."""

    def __init__(self, run: Run, scorer: Endpoint, journal: Journal) -> None:
        from openai import DefaultHttpxClient, OpenAI

        self.run, self.scorer, self.journal = run, scorer, journal
        self.sweep = run.plan.sweep if run.plan else run.config.name or ""
        self.budget = Budget(scorer, *journal.spent(self.sweep))
        key = os.environ.get(scorer.key_env, "") if scorer.key_env else ""
        self.client = OpenAI(
            base_url=resolved(scorer.base_url),
            api_key=key or "none",
            timeout=scorer.timeout,
            max_retries=scorer.retries,
            http_client=DefaultHttpxClient(event_hooks={"response": [refuse_other_host]}),
        )

    def all(self, missing: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Ask all questions; returns the reason for each one that the server refuses, by key.

        The first other failure is raised; the replies so far are kept.
        """
        self.budget.check(len(missing))
        failed: dict[str, str] = {}
        pace = Pace(self.run)
        pool = ThreadPoolExecutor(self.scorer.concurrency)
        try:
            futures: dict[Future[str], str] = {
                pool.submit(self.one, key, one): key for key, one in missing.items()
            }
            for done, future in enumerate(as_completed(futures), 1):
                if why := future.result():
                    failed[futures[future]] = why
                pace.log({"questions": float(done)}, done, len(missing))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self.client.close()
        return failed

    def one(self, key: str, asked: dict[str, Any]) -> str:
        """Ask one question until there is a completion; returns the reason of a refusal, else "".

        Raises:
            StepError: the server fails in another way, or gives no chat completion.
        """
        import openai

        tried = 0
        for wait in waits(self.scorer.retries):
            self.budget.begin_request()
            try:
                raw = self.client.chat.completions.with_raw_response.create(
                    **resolved_inside(asked), extra_headers={"Idempotency-Key": key}
                )
                tried += 1 + int(raw.retries_taken)
                found = completion(raw.http_response.text)
            except openai.APIStatusError as error:
                if place := error.response.headers.get(ELSEWHERE):
                    raise StepError(self.sent_on(place)) from error
                if error.status_code in REFUSED:
                    return f"HTTP {error.status_code}: {error.message[:SHOWN]}"
                raise StepError(self.gave_up(error)) from error
            except openai.APIError as error:
                raise StepError(self.gave_up(error)) from error
            if found:
                self.journal.add(
                    key, reply=found[0], tokens=found[1], attempts=tried, sweep=self.sweep, finish=found[2]
                )
            self.budget.end_request(int(raw.retries_taken), found[1] if found else 0)
            if found:
                return ""
            time.sleep(wait)
        raise StepError(
            f"{self.scorer.base_url} answers with something that is not a chat completion:"
            f" {raw.http_response.text[:SHOWN]!r}"
        )

    def sent_on(self, place: str) -> str:
        """The error message when the server sends the questions to another host."""
        return (
            f"{self.scorer.base_url} sends its questions on to another host, {place}; no prompt was sent"
            " there. If you trust that host, name it: scorer.endpoint.base_url=..."
        )

    def gave_up(self, error: Exception) -> str:
        """The error message when retries did not help."""
        kept = (
            f"{len(self.journal.replies)} replies are kept; the same command asks only for the missing ones"
        )
        return (
            f"{self.scorer.base_url}: {type(error).__name__}: {str(error)[:SHOWN]} (after up to"
            f" {self.scorer.retries} retries); {kept}"
        )


def refuse_other_host(response: Any) -> None:
    """Keep the client from following a redirect to another host: the prompts and the key would go there."""
    place = response.headers.get("location")
    if not place or not response.has_redirect_location:
        return
    asked, sent_on = response.request.url, response.request.url.join(place)
    same = (asked.host, asked.port) == (sent_on.host, sent_on.port) or (
        asked.host == sent_on.host and (asked.scheme, sent_on.scheme) == ("http", "https")
    )
    if not same:
        del response.headers["location"]
        response.headers[ELSEWHERE] = str(sent_on)


def waits(retries: int) -> list[float]:
    """Seconds to wait after each attempt."""
    return [min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) for attempt in range(retries + 1)]


def completion(text: str) -> tuple[str, int | None, str] | None:
    """(Reply, tokens, finish reason) from the JSON of a chat completion; None if it is not one."""
    try:
        made = json.loads(text)
        choice = made["choices"][0]
        said = choice["message"].get("content") or ""
        tokens = (made.get("usage") or {}).get("total_tokens")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return str(said), None if tokens is None else int(tokens), str(choice.get("finish_reason"))
