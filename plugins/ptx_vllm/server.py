"""A language model behind vLLM's own server (``vllm serve``).

The server is started here, in its own environment, and gets HTTP requests as from any client. It listens on a
socket file, so that it needs no port and no other user can reach it. Besides OpenAI's API, vLLM's
``prompt_logprobs``, ``min_tokens`` and ``ignore_eos`` are used (https://docs.vllm.ai, OpenAI-compatible
server).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from typing_extensions import override

from ptx import ModelRef, Outside, StepError
from ptx.guard.children import start_child
from ptx.lm.load import load_tokenizer
from ptx.lm.serving.decoding import Generated, prompt_seeds
from ptx.machine import peak_bytes
from ptx_vllm import Vllm
from ptx_vllm.model import OWN, Rows, TokenScores, VllmLanguageModel, adapters_of, arguments, chosen

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BASE = "base"  # the name under which the model itself is served
IN_FLIGHT = 32  # requests at the same time; the server batches them
PATIENCE = 1800.0  # seconds for loading the weights and compiling
GRACE = 30.0  # seconds for ending
POLL = 0.2
#: lets a client give a server new weights; this one listens on a socket that only its user can reach
WEIGHTS_CHANGE = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}
SHOWN, LINES = 1500, 3  # characters of the log's end, or errors in the log, that are shown
ERROR = re.compile(r"\w*(Error|Exception): .*")


@dataclass
class Process:
    """A running server, with a folder for its socket and its log."""

    popen: subprocess.Popen[bytes]
    client: httpx.Client
    folder: Path

    def longest(self) -> int:
        """Wait until the server answers; return the context of its model, in tokens.

        Raises:
            StepError: it ended, or does not answer; the message has the end of its log.
        """
        give_up = time.monotonic() + PATIENCE
        while self.popen.poll() is None and time.monotonic() < give_up:
            with suppress(httpx.TransportError):
                if self.client.get("/health").status_code == httpx.codes.OK:
                    return int(self.client.get("/v1/models").json()["data"][0]["max_model_len"])
            time.sleep(POLL)
        how = (
            "does not answer"
            if self.popen.poll() is None
            else f"ended with exit code {self.popen.returncode}"
        )
        raise StepError(f"vLLM's server {how}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the first errors in its log, else the end of the log."""
        log = (self.folder / "log").read_text(errors="replace").strip()
        errors = dict.fromkeys(found[0] for line in log.splitlines() if (found := ERROR.search(line)))
        return "; ".join(list(errors)[:LINES]) or log[-SHOWN:]

    def stop(self) -> None:
        """End the server; closing its standard input asks for that."""
        self.client.close()
        assert self.popen.stdin is not None
        with suppress(BrokenPipeError):
            self.popen.stdin.close()
        try:
            self.popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server(VllmLanguageModel):
    """A server, and the name of the model or adapter that answers."""

    concurrent = True

    def __init__(self, process: Process, tokenizer: PreTrainedTokenizerBase, longest: int, name: str) -> None:
        super().__init__(tokenizer, longest)
        self.process, self.name = process, name
        self.renewed = 0

    def texts(self, rows: Rows, wanted: Sequence[dict[str, Any]]) -> list[str]:
        """Return the continuation of each of ``rows``; many requests run at once."""
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            found = pool.map(lambda row, one: self._ask(row, **one), rows, wanted)
            return [self._generated(answer) for answer in found]

    def _generated(self, answer: dict[str, Any]) -> Generated:
        """The text of an answer; the server does not count its tokens, so they are counted here."""
        tokens = len(self.tokenizer(answer["text"], add_special_tokens=False)["input_ids"])
        return Generated(answer["text"], tokens, finished=answer.get("finish_reason") == "stop")

    @override
    def token_scores(self, rows: Rows, likeliest: int) -> Iterator[TokenScores]:

        def ask(row: Sequence[int]) -> TokenScores:
            found = self._ask(row, max_tokens=1, temperature=0.0, prompt_logprobs=likeliest)[
                "prompt_logprobs"
            ]
            return [
                {int(token): (one["logprob"], one["rank"]) for token, one in entry.items()}
                for entry in found[1:]
            ]

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            yield from pool.map(ask, rows)

    def sampled(
        self, rows: Rows, most: int, temperature: float, seed: int
    ) -> list[tuple[list[int], list[float]]]:
        """Return tokens drawn after each of ``rows``, and the log-probability of each at this temperature.

        The server caches prefixes, so the prompt of a group is read once.
        """

        def ask(row: Sequence[int], one: int) -> tuple[list[int], list[float]]:
            answer = self._ask(
                row,
                max_tokens=most,
                temperature=temperature,
                seed=one % 2**31,
                logprobs=0,
                return_token_ids=True,
            )
            return list(answer["token_ids"]), [float(one) for one in answer["logprobs"]["token_logprobs"]]

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(ask, rows, prompt_seeds(seed, range(len(rows)))))

    def renew(self, folder: Path) -> None:
        """Serve the weights that now lie in ``folder``: the model's own, or an adapter's.

        An adapter gets a new name, since the server keeps what it has read under one. The weights of a
        served model are read again from their folder by its workers (``VLLM_SERVER_DEV_MODE``).
        """
        if self.name == BASE:
            self._post("/collective_rpc", {"method": "reload_weights"})
        else:
            self.renewed += 1
            name = f"{OWN}-{self.renewed}"
            self._post("/v1/unload_lora_adapter", {"lora_name": self.name})
            self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})
            self.name = name
        self._post("/reset_prefix_cache", {})

    def _post(self, path: str, wanted: dict[str, Any]) -> None:
        self._raise_error(self.process.client.post(path, json=wanted))

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Return the seconds until every row has its first new token, and from there to the last.

        These are the times that a client sees; no row ends early.
        """
        rows, started = self.random(batch_size, prompt_tokens), time.perf_counter()
        if batch_size == 1:
            ends = [self._stream(rows[0], new_tokens)]
        else:
            with ThreadPoolExecutor(batch_size) as pool:
                ends = list(pool.map(lambda row: self._stream(row, new_tokens), rows))
        first = max(first for first, _ in ends)
        return first - started, max(max(last for _, last in ends) - first, 1e-9)

    def peak_memory(self) -> float:
        """Return the bytes of the server's processes."""
        return peak_bytes(self.process.popen.pid)

    def close(self) -> None:
        """End the server."""
        self.process.stop()

    def _ask(self, row: Sequence[int], **wanted: Any) -> dict[str, Any]:
        answer = self.process.client.post(
            "/v1/completions", json={"model": self.name, "prompt": list(row), **wanted}
        )
        self._raise_error(answer)
        return dict(answer.json()["choices"][0])

    def _stream(self, row: Sequence[int], tokens: int) -> tuple[float, float]:
        """Return the times of the first and the last of ``tokens`` new tokens."""
        wanted = {
            "max_tokens": tokens,
            "min_tokens": tokens,
            "ignore_eos": True,
            "temperature": 0.0,
            "stream": True,
        }
        with self.process.client.stream(
            "POST", "/v1/completions", json={"model": self.name, "prompt": list(row), **wanted}
        ) as answer:
            self._raise_error(answer)
            times = [time.perf_counter() for line in answer.iter_lines() if line.startswith("data: {")]
        return times[0], times[-1]

    def _raise_error(self, answer: httpx.Response) -> None:
        if answer.is_error:
            reply = f"(HTTP {answer.status_code}): {answer.read().decode(errors='replace')[:SHOWN]}"
            words = f"; its log: {self.process.last_words()}" if answer.is_server_error else ""
            raise StepError(f"vLLM's server refuses {reply}{words}")


def load(runtime: Vllm, served: Outside, model: ModelRef) -> Server:
    """Start a server on the model, or on the base of an adapter, with all adapters."""
    adapters, folder = adapters_of(runtime, model), Path(tempfile.mkdtemp(prefix="ptx-vllm-"))
    socket = folder / "socket"
    line: list[str | Path] = [
        served.interpreter,
        served.script,
        folder,
        *flags(runtime, model, adapters),
        f"--uds={socket}",
    ]

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=Outside.variables() | WEIGHTS_CHANGE,
                start_new_session=True,
            )

    client = httpx.Client(
        transport=httpx.HTTPTransport(uds=str(socket)),
        base_url="http://vllm",
        timeout=httpx.Timeout(None, connect=GRACE),
    )
    process = Process(start_child(start), client, folder)
    try:
        longest = process.longest()
    except BaseException:
        process.stop()
        raise
    return Server(process, load_tokenizer(model.path), longest, chosen(runtime, adapters) or BASE)


def flags(runtime: Vllm, model: ModelRef, adapters: dict[str, Path]) -> list[str]:
    """Return the arguments of ``vllm serve``.

    They are the engine's arguments as options, and the names under which the model and its adapters are
    served.
    """
    given = arguments(runtime, model, adapters)
    found = [given.pop("model"), f"--served-model-name={BASE}"]
    for name, value in given.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{option}" if value else f"--no-{option}")
        else:
            found.append(f"--{option}={json.dumps(value) if isinstance(value, dict | list) else value}")
    return found + (
        ["--lora-modules", *(f"{name}={folder}" for name, folder in adapters.items())] if adapters else []
    )
