"""A judge behind an OpenAI-compatible endpoint, asked through the openai client.

The client waits and tries again by itself (429 with Retry-After, 5xx, timeouts, cut connections; exponential
backoff with jitter). Added here: a reply that is no chat completion is tried again too, no more than
``concurrency`` questions are under way, a budget is kept, and every reply goes into the journal at once. What
was under way when the process was killed is asked again under the same ``Idempotency-Key``: a server that
knows this header bills it once; others may see at most ``concurrency`` questions twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from ptx import Run, Score, StepError
from ptx.files import digest_of
from ptx.lm.progress import Pace
from ptx_judge.config import Endpoint
from ptx_judge.journal import Journal, path_of
from ptx_judge.rubric import NAN, Request, requests, verdict

REFUSED = (400, 413, 422)  # this question is refused; others may not be
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
SHOWN = 300  # characters of a server's words in an error


def score(
    run: Run, scorer: Endpoint, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[Score]:
    """Verdicts in order; what the server refuses is nan with the status "failed".

    Raises:
        StepError: the server cannot be reached, does not let us in, refuses everything, or the budget does
            not suffice.
    """
    asked = [
        body(scorer, request)
        for request in requests(scorer.asked, prompts, completions, references, pair=scorer.compare)
    ]
    keys = [digest_of({"base_url": scorer.base_url, **one}) for one in asked]
    with Journal(
        journal_path(scorer), lambda: run.say("waiting for another process that asks the same judge")
    ) as journal:
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in journal.replies}
        failed: dict[str, str] = {}
        if missing:
            known = (
                f"; {len(set(keys)) - len(missing)} replies are known"
                if len(missing) < len(set(keys))
                else ""
            )
            run.say(f"{len(missing)} questions for {scorer.model} at {scorer.base_url}{known}")
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


def journal_path(scorer: Endpoint) -> Any:
    """One file per server and model."""
    return path_of(f"endpoint-{digest_of([scorer.base_url, scorer.model])[:16]}")


def body(scorer: Endpoint, request: Request) -> dict[str, Any]:
    """The arguments of the call."""
    ours = {
        "model": scorer.model,
        "messages": request.messages,
        "temperature": scorer.temperature,
        "max_tokens": scorer.max_tokens,
    }
    return {name: value for name, value in {**ours, **scorer.args}.items() if value is not None}


@dataclass
class Purse:
    """The budget of a sweep, shared by the threads that spend it."""

    scorer: Endpoint
    requests: int
    tokens: int
    guard: threading.Lock = field(default_factory=threading.Lock)

    def afford(self, count: int) -> None:
        """Whether ``count`` more questions fit, known before the first is paid for."""
        most = self.scorer.max_requests
        if most is not None and self.requests + count > most:
            raise StepError(
                f"{count} questions are to be asked, and {self.requests} of"
                f" scorer.endpoint.max_requests={most} are spent in this sweep; allow at least"
                f" {self.requests + count}, or ask less with eval.judge.limit"
            )

    def open(self) -> None:
        """Take one request out, or refuse."""
        with self.guard:
            for spent, name in ((self.requests, "max_requests"), (self.tokens, "max_spent_tokens")):
                most = getattr(self.scorer, name)
                if most is not None and spent >= most:
                    raise StepError(
                        f"the budget scorer.endpoint.{name}={most} is spent; the replies so far are kept,"
                        " raise it and start the command again"
                    )
            self.requests += 1

    def pay(self, retries: int, tokens: int | None) -> None:
        """What a reply cost beyond the request itself."""
        if tokens is None and self.scorer.max_spent_tokens is not None:
            raise StepError(
                "scorer.endpoint.max_spent_tokens is set, and the server does not say how many tokens it"
                " took; set max_requests"
            )
        with self.guard:
            self.requests += retries
            self.tokens += tokens or 0


class Asking:
    """One evaluation's questions under way."""

    def __init__(self, run: Run, scorer: Endpoint, journal: Journal) -> None:
        from openai import OpenAI

        self.run, self.scorer, self.journal = run, scorer, journal
        self.sweep = run.plan.sweep if run.plan else run.config.name or ""
        self.purse = Purse(scorer, *journal.spent(self.sweep))
        key = os.environ.get(scorer.key_env, "") if scorer.key_env else ""
        self.client = OpenAI(
            base_url=scorer.base_url,
            api_key=key or "none",
            timeout=scorer.timeout,
            max_retries=scorer.retries,
        )

    def all(self, missing: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Ask everything; returns why, for each question that the server refuses. The first other failure
        ends it, replies are kept.
        """
        self.purse.afford(len(missing))
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
        """Ask one question until there is a completion; returns why the server refuses it, or an empty
        string.
        """
        import openai

        tried = 0
        for wait in waits(self.scorer.retries):
            self.purse.open()
            try:
                raw = self.client.chat.completions.with_raw_response.create(
                    **asked, extra_headers={"Idempotency-Key": key}
                )
                tried += 1 + int(raw.retries_taken)
                found = completion(raw.http_response.text)
            except openai.APIStatusError as error:
                if error.status_code in REFUSED:
                    return f"HTTP {error.status_code}: {error.message[:SHOWN]}"
                raise StepError(self.gave_up(error)) from error
            except openai.APIError as error:
                raise StepError(self.gave_up(error)) from error
            if found:
                self.journal.add(
                    key, reply=found[0], tokens=found[1], attempts=tried, sweep=self.sweep, finish=found[2]
                )
            self.purse.pay(int(raw.retries_taken), found[1] if found else 0)
            if found:
                return ""
            time.sleep(wait)
        raise StepError(
            f"{self.scorer.base_url} answers with something that is no chat completion:"
            f" {raw.http_response.text[:SHOWN]!r}"
        )

    def gave_up(self, error: Exception) -> str:
        """What the user is told when trying again did not help."""
        kept = (
            f"{len(self.journal.replies)} replies are kept, the same command again asks only what is missing"
        )
        return (
            f"{self.scorer.base_url}: {type(error).__name__}: {str(error)[:SHOWN]} (after"
            f" {self.scorer.retries} retries where they make sense); {kept}"
        )


def waits(retries: int) -> list[float]:
    """Seconds to wait after each attempt."""
    return [min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) for attempt in range(retries + 1)]


def completion(text: str) -> tuple[str, int | None, str] | None:
    """Reply, tokens and how it ended, from the JSON of a chat completion; None when it is none."""
    try:
        made = json.loads(text)
        choice = made["choices"][0]
        said = choice["message"].get("content") or ""
        tokens = (made.get("usage") or {}).get("total_tokens")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return str(said), None if tokens is None else int(tokens), str(choice.get("finish_reason"))
