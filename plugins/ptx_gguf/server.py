"""llama.cpp's own server as a library (xllamacpp), in this process."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import TYPE_CHECKING, Any

import xllamacpp
from typing_extensions import override

from ptx import StepError
from ptx.lm.serving.token_model import threads

if TYPE_CHECKING:
    from pathlib import Path

QUIET = -1


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The server is a child of this process; it sends nobody elsewhere."""

    @override
    def redirect_request(self, *_: Any) -> None:
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())  # needs no proxy


def post(server: Any, path: str, body: dict[str, Any], key: str) -> Any:
    """What the server answers to a request on its port."""
    request = urllib.request.Request(  # noqa: S310 - the server of this process
        f"{server.listening_address}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    with OPENER.open(request) as answer:
        return json.load(answer)


def serve(file: Path, context: int, slots: int, key: str, states: int = 0) -> Any:
    """Return llama.cpp's server for ``file``, with this process's number of threads.

    ``slots`` requests share ``context`` tokens. It listens on a port of this machine for requests with
    ``key``. With ``states`` it also gives the hidden states of a text of at most so many tokens.

    Raises:
        StepError: llama.cpp cannot open the file.
    """
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx, settings.n_parallel = context, slots
    settings.n_gpu_layers = 0
    settings.fit_params = False  # true could change the context
    settings.cache_ram_mib = 0  # no cache of earlier texts
    settings.verbosity = QUIET
    settings.api_keys = [key]
    if states:
        settings.embedding = True
        settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_NONE
        settings.n_batch = settings.n_ubatch = states  # without pooling a text is read in one piece
    count = threads() or os.cpu_count() or 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = count
    try:
        return xllamacpp.Server(settings)
    except RuntimeError as error:
        raise StepError(f"llama.cpp cannot open {file}: {error}") from error


def raise_error(answer: dict[str, Any]) -> None:
    """Raise the error in an answer, if there is one."""
    if "error" in answer:
        raise StepError(f"llama.cpp: {answer['error'].get('message', answer['error'])}")
