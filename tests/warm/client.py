"""Stands in the place of the interpreter; the fixture writes it anew, with the words between @ replaced."""

import _thread
import array
import contextlib
import json
import os
import signal
import socket
import sys

ADDRESS, PYTHON = "@ADDRESS@", "@PYTHON@"
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def cold() -> None:
    """Be the interpreter itself."""
    os.execv(PYTHON, [PYTHON, *sys.argv[1:]])


def open_files() -> list[int]:
    found = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 (pathlib is slow to import)
    return [file for file in found if os.path.exists(f"/proc/self/fd/{file}")]  # noqa: PTH110


def pass_on(signals: list[int], fork: int) -> None:
    """Wait for signals, which all threads block, and send them on.

    A handler would not do: for a signal that comes just before a read it runs when the read has ended.
    """
    while True:
        number = signal.sigwait(signals)
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork, number)


def main() -> None:
    arguments = sys.argv[1:]
    while arguments and arguments[0] == "-u":
        arguments = arguments[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-m", "-c")):
        cold()
    files = open_files()
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(ADDRESS)
    except OSError:
        cold()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    request = {
        "arguments": arguments,
        "environ": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "files": files,
        "ignored": [int(n) for n in PASSED_ON if signal.getsignal(n) == signal.SIG_IGN],
        "executable": sys.argv[0],
    }
    text = json.dumps(request).encode()
    server.sendmsg(
        [len(text).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
    )
    server.sendall(text)
    answers = server.makefile()
    fork = int(answers.readline())
    passed_on = [number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
    _thread.start_new_thread(pass_on, (passed_on, fork))
    for file in files:
        os.close(file)  # who reads a pipe waits until all its writers have closed it
    status = int(answers.readline() or signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [-code])
        signal.raise_signal(-code)
    os._exit(code)


main()
