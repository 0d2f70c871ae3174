"""Forks on request: a fork is as a new interpreter is, with the ML libraries imported.

``python server.py ADDRESS`` prints a line when it listens, and ends when its last user has gone. It prints
the commands of processes that the tests have left behind then, and kills them: nobody waits for them.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

#: what takes the longest to import in the processes that tests start; one that is not installed is left out
HEAVY = (
    "transformers.trainer",
    "transformers.models.llama.modeling_llama",
    "transformers.models.llama.tokenization_llama",
    "datasets",
    "peft",
    "accelerate.commands.launch",
    "torch.distributed.run",
    "trl.trainer.sft_trainer",
    "trl.trainer.dpo_trainer",
    "llmcompressor",
    "fastapi",
    "uvicorn",
    "optuna",
    "pytest",
    "onnx",
    "onnxruntime",
    "onnxruntime_genai.models.builder",
    "ptx.cli",
    "ptx.cli.train",
    "ptx.execute.worker",
    "ptx.execute.child",
)
SIZE = 8  # bytes before a request that hold its length
USER = bytes(SIZE)  # instead of a request: who says it may ask until it goes
GRACE = 1.0  # seconds in which processes that were stopped last may end
HIGH = 500  # file descriptors of the server itself, out of the way of those that a process brings


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """A request and its open files; None from a user, who asks through further connections.

    Raises EOFError when who asked is gone before it has said what.
    """
    size = array.array("i").itemsize
    first, ancillary, _, _ = connection.recvmsg(SIZE, socket.CMSG_SPACE(250 * size))
    files = array.array("i")
    for _, _, content in ancillary:
        files.frombytes(content[: len(content) - len(content) % size])
    length = int.from_bytes(first, "big")
    text = connection.makefile("rb").read(length)
    if len(first) < SIZE or len(text) < length:
        for file in files:
            os.close(file)
        raise EOFError
    return (json.loads(text), list(files)) if length else None


def run(arguments: list[str]) -> None:
    """What the interpreter does with these arguments."""
    if arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        module = type(sys)("__main__")
        sys.modules["__main__"] = module
        exec(compile(arguments[1], "<string>", "exec"), module.__dict__)
    elif arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def become(request: dict[str, Any], files: list[int]) -> None:
    """Take over the files, folder, environment, path and signals of who asked."""
    high = [fcntl.fcntl(file, fcntl.F_DUPFD, HIGH) for file in files]
    os.closerange(0, HIGH)
    for file, number in zip(high, request["files"], strict=True):
        os.dup2(file, number)
    os.closerange(HIGH, 3 * HIGH)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = open(number, mode, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    script = request["arguments"][0]
    first = Path.cwd() if script.startswith("-") else Path(script).absolute().parent
    own = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [str(first), *own, *(path for path in BASE if path not in own)]
    sys.executable = request["executable"]
    importlib.invalidate_caches()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else usual)
    random.seed()
    if threads := os.environ.get("OMP_NUM_THREADS"):
        sys.modules["torch"].set_num_threads(int(threads))


def fork(request: dict[str, Any], files: list[int]) -> int:
    """The id of a new process that does what is asked."""
    if process := os.fork():
        for file in files:
            os.close(file)
        return process
    code = 1
    try:
        become(request, files)
        run(request["arguments"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = -signal.SIGINT
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code & 255)


class Server:
    """Answers until the last of its users has gone."""

    def __init__(self, address: str) -> None:
        self.address, self.listening = address, socket.socket(socket.AF_UNIX)
        self.listening.bind(address)
        self.listening.listen(64)
        self.chosen = selectors.DefaultSelector()
        self.chosen.register(self.listening, selectors.EVENT_READ, self.answer)
        self.living: dict[int, str] = {}
        self.users = 0
        self.open, self.ending = True, 0.0

    def serve(self) -> None:
        print("listening", flush=True)
        while self.open or (self.living and time.monotonic() < self.ending):
            for key, _ in self.chosen.select(None if self.open else 0.1):
                if self.chosen.get_map().get(key.fd) is key:  # unless an event before it has closed it
                    key.data()
        for process, command in self.living.items():
            print(command, flush=True)
            os.kill(process, signal.SIGKILL)

    def leave(self, user: socket.socket) -> None:
        """A user has gone."""
        self.chosen.unregister(user)
        user.close()
        self.users -= 1
        if not self.users:
            Path(self.address).unlink()
            self.open, self.ending = False, time.monotonic() + GRACE

    def answer(self) -> None:
        connection, _ = self.listening.accept()
        try:
            asked = receive(connection)
        except EOFError:
            connection.close()
            return
        if asked is None:
            self.users += 1
            self.chosen.register(connection, selectors.EVENT_READ, lambda: self.leave(connection))
            return
        process = fork(*asked)
        with contextlib.suppress(OSError):  # who asked has gone meanwhile: `give_up` comes next
            connection.sendall(f"{process}\n".encode())
        ended = os.pidfd_open(process)
        self.living[process] = " ".join(asked[0]["arguments"])[:300]
        self.chosen.register(ended, selectors.EVENT_READ, lambda: self.finish(process, ended, connection))
        self.chosen.register(connection, selectors.EVENT_READ, lambda: self.give_up(process, connection))

    def give_up(self, process: int, connection: socket.socket) -> None:
        """Who asked has gone."""
        self.chosen.unregister(connection)
        os.kill(process, signal.SIGKILL)

    def finish(self, process: int, ended: int, connection: socket.socket) -> None:
        """A fork has ended: say how."""
        _, status = os.waitpid(process, 0)
        del self.living[process]
        self.chosen.unregister(ended)
        os.close(ended)
        if connection.fileno() in self.chosen.get_map():
            self.chosen.unregister(connection)
            with contextlib.suppress(OSError):
                connection.sendall(f"{status}\n".encode())
        connection.close()


if __name__ == "__main__":
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    BASE = [path for path in sys.path[1:] if path not in own]
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    Server(sys.argv[1]).serve()
